"""Every operation of the OpenAPI document, for tests that must leave none out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from api.app import create_app
from api.entry.routing import doors_of
from tests.api.alone import settings_of_nothing

METHODS = ("get", "put", "post", "patch", "delete")
NOBODYS = str(UUID(int=0x01980000_0000_7000_8000_00000000FFFF))
NO_FILE, NO_VIDEO = f"{'0' * 64}.webp", f"{'0' * 64}.mp4"


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    id: str
    method: str
    template: str
    document: dict[str, Any]

    @property
    def has_id(self) -> bool:
        """Whether it is about one thing, named in its path."""
        return "{" in self.template

    @property
    def successes(self) -> set[int]:
        """The statuses of its good answers."""
        return {int(status) for status in self.document["responses"] if status < "400"}

    @property
    def path(self) -> str:
        """Its path about a thing that there is not."""
        names = re.findall(r"\{(\w+)\}", self.template)
        file = NO_VIDEO if "/video/" in self.template else NO_FILE
        return self.path_of("/".join(file if name == "name" else NOBODYS for name in names))

    def path_of(self, thing_id: str) -> str:
        """Its path about this thing. Where a path has several ids, so has the thing: `a/b`."""
        ids = iter(thing_id.split("/"))
        path = re.sub(r"\{\w+\}", lambda _: next(ids), self.template)
        assert next(ids, "") == "", f"{self.template} has no place for all of {thing_id}"
        return path


_APP = create_app(settings_of_nothing())
DOCUMENT: dict[str, Any] = _APP.openapi()
DOOR_OF = doors_of(_APP)
OPERATIONS: tuple[Operation, ...] = tuple(
    Operation(each["operationId"], method.upper(), path, each)
    for path, methods in DOCUMENT["paths"].items()
    for method, each in methods.items()
    if method in METHODS
)
