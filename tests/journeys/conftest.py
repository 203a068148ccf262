"""Journeys start whole meshes more often than they search in them."""

from __future__ import annotations

import os

os.environ.setdefault("MESH_QUICK_START", "1")
