"""Bodies that clients send. What is unknown in one is an error: a typo must not pass. In one that
says what shall be different a field that is left out stays, and null empties it (RFC 7396).
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from schemas.values.texts import refusal


class Body(BaseModel):
    """A request's body; what is unknown in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def stated(changes: BaseModel) -> dict[str, Any]:
    """The fields sent with a value."""
    sent = changes.model_fields_set
    return {name: value for name, value in changes if name in sent and value is not None}


def cleared(changes: BaseModel) -> tuple[Any, ...]:
    """The fields sent as null."""
    return tuple(sorted(changes.model_fields_set - stated(changes).keys()))


def _not_null(value: Any) -> Any:
    if value is None:
        told = "can't be emptied: leave it out, or choose a value"
        raise refusal(told)
    return value


Chosen = BeforeValidator(_not_null)  # for a field that has a value always
