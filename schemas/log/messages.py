"""Base classes of everything that crosses a wire: commands, events and small value types."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict

from schemas.values.texts import Line


class Role(StrEnum):
    """Who somebody is to the mesh; `SYSTEM` is a reaction or a tool, never a person."""

    BUYER = "buyer"
    SELLER = "seller"
    DEALER = "dealer"
    MODERATOR = "moderator"
    ADMIN = "admin"
    OPS = "ops"
    SYSTEM = "system"


class Market(StrEnum):
    """Which of the two marketplaces a thing belongs to."""

    EXOTICS = "exotics"
    CAMPUS = "campus"


class Language(StrEnum):
    """What somebody reads: BCP 47."""

    ENGLISH = "en"
    SINHALA = "si"
    TAMIL = "ta"


class Command(BaseModel):
    """A request that may be refused. Unknown fields are an error: a typo must not pass."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    asked_at: AwareDatetime
    asked_by: Annotated[str, Line(100, 0)]
    asked_role: Role

    @property
    def stream_id(self) -> str:
        """The stream whose rules judge this command, `category/id`."""
        raise NotImplementedError


class Event(BaseModel):
    """A fact, never changed. Unknown fields are ignored: a newer writer may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    SCHEMA: ClassVar[int] = 1  # raised with every new shape; older ones get an upcaster

    kind: str


def category_of(stream_id: str) -> str:
    """`listing/0b7c…` → `listing`: the kind of aggregate that a stream belongs to."""
    return stream_id.partition("/")[0]


class Fault(BaseModel):
    """One thing wrong with an input: where (JSON pointer), what, and how to mend it."""

    model_config = ConfigDict(frozen=True)

    pointer: str
    detail: str


@lru_cache(maxsize=64)  # event and reply, and often a whole batch, are recorded at one moment
def iso(moment: datetime) -> str:
    """RFC 3339 text in UTC with microseconds, as the log's headers carry it."""
    return moment.isoformat(timespec="microseconds")
