"""Which characters a text may hold, as patterns: no control character but those that shape it."""

from __future__ import annotations

from typing import Final

LINE: Final = r"^[^\x00-\x1f\x7f]+$"
LINES: Final = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+$"  # with tabs and line breaks
