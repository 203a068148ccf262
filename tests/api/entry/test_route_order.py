"""Each path of the document leads to its own operation, and none is taken for an id."""

from __future__ import annotations

import pytest
from starlette.routing import Match

from api.app import create_app
from tests.api.alone import settings_of_nothing
from tests.api.operations import OPERATIONS, Operation

ROUTES = create_app(settings_of_nothing()).routes
# Words of our own, names of files, texts of links.
NO_ID = {"provider", "template_id", "name", "token"}


def led_to(method: str, path: str) -> str | None:
    """The operation that answers there, if any does."""
    scope = {"type": "http", "method": method, "path": path, "headers": []}
    for route in ROUTES:
        if route.matches(scope)[0] is Match.FULL:
            return getattr(route, "operation_id", None)
    return None


@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.id for each in OPERATIONS])
def test_X_16_no_route_stands_before_another(operation: Operation) -> None:
    assert led_to(operation.method, operation.path) == operation.id


@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.id for each in OPERATIONS])
def test_X_16_every_id_in_a_path_is_a_uuid(operation: Operation) -> None:
    kinds = {
        each["name"]: each["schema"].get("format")
        for each in operation.document.get("parameters", [])
        if each["in"] == "path" and each["name"] not in NO_ID
    }
    assert kinds == dict.fromkeys(kinds, "uuid")


ABOUT_A_THING = [
    each
    for each in OPERATIONS
    if each.has_id
    and not any(f"{{{word}}}" in each.template for word in ("provider", "template_id", "token"))
]


@pytest.mark.parametrize("operation", ABOUT_A_THING, ids=[each.id for each in ABOUT_A_THING])
def test_X_16_a_word_is_never_taken_for_an_id(operation: Operation) -> None:
    """So a static path may be added beside it at any time."""
    words = "/".join(["unheard"] * operation.template.count("{"))
    assert led_to(operation.method, operation.path_of(words)) is None
