"""Ids as people type them."""

from __future__ import annotations

from uuid import UUID

import typer


def an_id(text: str) -> UUID:
    """The id; raises typer.BadParameter, which says where ids are to be found."""
    try:
        return UUID(text)
    except ValueError:
        message = (
            f"{text!r} is no id: one has 32 hexadecimal digits, as in the answer to a registration"
        )
        raise typer.BadParameter(message) from None
