"""Every operation of the OpenAPI document, for tests that must leave none out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from api.app import create_app
from tests.api.alone import settings_of_nothing

METHODS = ("get", "put", "post", "patch", "delete")
NOBODYS = str(UUID(int=0x01980000_0000_7000_8000_00000000FFFF))


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
    def path(self) -> str:
        """Its path about a thing that there is not."""
        return self.path_of(NOBODYS)

    def path_of(self, thing_id: str) -> str:
        """Its path about this thing."""
        return re.sub(r"\{\w+\}", thing_id, self.template)


DOCUMENT: dict[str, Any] = create_app(settings_of_nothing()).openapi()
OPERATIONS: tuple[Operation, ...] = tuple(
    Operation(each["operationId"], method.upper(), path, each)
    for path, methods in DOCUMENT["paths"].items()
    for method, each in methods.items()
    if method in METHODS
)
