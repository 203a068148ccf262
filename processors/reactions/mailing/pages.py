"""What mails call things, and where they lead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from infra.channels.texts import told as shown
from processors.reacting.effects import Tools

TITLE_LENGTH_MAX = 80


def title_of(row: Mapping[str, Any]) -> str:
    """What a listing is called; where its title would be made a link of, what it is."""
    named = [str(row[name]) for name in ("year", "make", "model") if row[name] is not None]
    return shown(row["title"] or "", TITLE_LENGTH_MAX) or shown(" ".join(named), TITLE_LENGTH_MAX)


def listing_url(tools: Tools, listing_id: UUID | str) -> str:
    """A listing's page."""
    return page_url(tools, f"listings/{listing_id}", f"api/listings/{listing_id}")


def page_url(tools: Tools, page: str, path: str) -> str:
    """A page of the frontend; without one the API's own address."""
    settings = tools.settings
    if settings.frontend_url:
        return f"{settings.frontend_url.rstrip('/')}/{page}"
    return f"{settings.public_url.rstrip('/')}/{path}"
