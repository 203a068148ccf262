"""Every operation states its worst case."""

from __future__ import annotations

import pytest

from tests.api.operations import DOOR_OF, OPERATIONS
from tests.house.worst_cases import COMMAND, MEMORY, PAGE, ROW, WORK, page

# Kept from nobody: leaving, and what is read from one row or from memory.
UNLIMITED = {"log_out", "log_out_everywhere", "health_startup", "health_ready", "view_listing", "read_listing",
             "read_listing_prices", "read_avatar", "read_variant", "resize_image", "list_identities",
             "stream_video", "read_video_file", "read_video_playlist", "read_listing_spin", "list_listing_videos",
             "list_sessions", "list_api_keys"}  # fmt: skip


def test_every_operation_states_its_worst_case() -> None:
    ids = {each.id for each in OPERATIONS}
    assert WORK.keys() == ids, "say what it costs in tests/house/worst_cases.py"


def test_the_page_of_the_worst_cases_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `python -m tests.house.worst_cases`"


def test_what_is_more_than_a_row_is_limited() -> None:
    cheap = {name for name, work in WORK.items() if work in (MEMORY, ROW)}
    assert {name for name in WORK if not DOOR_OF[name].limits} - cheap <= UNLIMITED


def test_every_command_is_limited() -> None:
    commands = {name for name, work in WORK.items() if work == COMMAND}
    assert {name for name in commands if not DOOR_OF[name].limits} <= {
        "log_out",
        "log_out_everywhere",
    }


@pytest.mark.parametrize("name", ["limit", "page"])
def test_every_list_has_a_bound(name: str) -> None:
    for operation in OPERATIONS:
        for each in operation.document.get("parameters", []):
            if each["name"] == name:
                schemas = [each["schema"], *each["schema"].get("anyOf", [])]
                assert any("maximum" in one for one in schemas), operation.id
