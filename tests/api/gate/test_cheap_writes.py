"""Nobody writes into the log as often as they like: whatever appends something spends a limit."""

from __future__ import annotations

import pytest

from api.backends.rate_limits import By
from api.entry.doors import ANYONE
from api.messaging.realtime import SOCKET
from infra.settings import Settings
from tests.api.operations import DOOR_OF, OPERATIONS, Operation

WRITES = [each for each in OPERATIONS if each.method != "GET"]
# Read by their method, and yet they write.
ALSO_WRITE = [each for each in OPERATIONS if each.id == "finish_oauth"]


@pytest.mark.parametrize("operation", [*WRITES, *ALSO_WRITE], ids=lambda each: each.id)
def test_every_write_spends_a_limit(operation: Operation) -> None:
    assert DOOR_OF[operation.id].limits


@pytest.mark.parametrize("operation", [*WRITES, *ALSO_WRITE], ids=lambda each: each.id)
def test_what_anyone_may_write_is_limited_by_address(operation: Operation) -> None:
    """Whoever signs nobody in has an address only: `By.CALLER` counts them by it."""
    if DOOR_OF[operation.id].access != ANYONE:
        return
    assert {each.by for each in DOOR_OF[operation.id].limits} & {By.ADDRESS, By.CALLER}


@pytest.mark.parametrize("event", SOCKET)
def test_every_event_of_a_socket_spends_a_limit(event: str) -> None:
    assert SOCKET[event].limits


@pytest.mark.parametrize("name", [each for each in Settings.model_fields if "limit_" in each])
def test_no_limit_is_off_by_default(name: str) -> None:
    assert Settings.model_fields[name].default != "off"
