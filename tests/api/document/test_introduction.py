"""What the document says first is true: lists in it are compared with the code."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from inspect import signature
from typing import Any
from uuid import UUID

from api.document.introduction import ACKNOWLEDGED, HEARD, introduction
from api.entry.auth import Caller
from api.messaging.events import Chat, Connection, _shown
from api.messaging.fanout import Fanout, Said
from api.messaging.realtime import HANDLERS, PATH, Realtime
from api.profiles.sight import People
from api.wire.problems import Problem, ProblemBody
from schemas.log.messages import Fault, Market, Role
from schemas.messaging import MarkRead, SendMessage
from tests.api.alone import settings_of_nothing
from tests.api.operations import DOCUMENT, OPERATIONS
from tests.house.sources import sources

LINES_MAX = 60
ID = UUID(int=0x01980000_0000_7000_8000_000000000001)
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ASKED = {"conversation_id": ID, "asked_at": AT, "asked_by": str(ID), "asked_role": Role.BUYER}


class Recorder:
    """A Socket.IO server that keeps what it is to emit."""

    def __init__(self) -> None:
        self.emitted: dict[str, dict[str, Any]] = {}

    async def emit(self, event: str, told: dict[str, Any], **_to: Any) -> None:
        self.emitted[event] = told


def named(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", text))


def line_of(event: str) -> str:
    """What the text says of an event."""
    (found,) = re.findall(rf"^- `{event}`: (.+)$", introduction(), re.MULTILINE)
    return str(found)


def test_the_document_begins_with_it_and_it_is_short() -> None:
    assert DOCUMENT["info"]["description"] == introduction()
    assert len(introduction().splitlines()) <= LINES_MAX


def test_every_member_of_a_problem_every_role_and_every_market_is_named() -> None:
    people = {*Role} - {Role.SYSTEM}
    assert {*ProblemBody.model_fields, *people, *Market} <= named(introduction())


def test_every_operation_that_it_names_is_there() -> None:
    words = {each for each in named(introduction()) if re.fullmatch(r"(log|refresh)_\w+", each)}
    assert words
    assert words <= {each.id for each in OPERATIONS}


def test_every_event_that_the_socket_takes_is_named_with_its_fields() -> None:
    for event, handler in HANDLERS.items():
        assert set(handler.body.model_fields) <= named(line_of(event)), event


def test_what_is_acknowledged_with_something_is_told() -> None:
    answering = {
        event
        for event, each in HANDLERS.items()
        if signature(each.handle).return_annotation != "None"
    }
    assert answering == set(ACKNOWLEDGED)


def test_every_event_that_the_socket_emits_is_named_and_no_other() -> None:
    emitted = {
        node.args[0].value
        for source in sources("api")
        for node in source.nodes(ast.Call)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "emit"
        and isinstance(node.args[0], ast.Constant)
    }
    assert emitted == set(HEARD)


async def told_by_the_fanout() -> dict[str, dict[str, Any]]:
    server = Recorder()
    fanout = Fanout(server)
    command = SendMessage(message_id=ID, content_sealed="sealed", **ASKED)
    await fanout.message_sent(Said(command, "Hello", str(ID), str(ID), "Nimal", "token"))
    await fanout.messages_read(MarkRead(up_to=1, **ASKED), str(ID), str(ID))
    await fanout.typing(str(ID), str(ID), "Nimal", "sid")
    await fanout.stop_typing(str(ID), str(ID), "sid")
    return server.emitted


async def test_the_fields_of_what_is_told_are_named() -> None:
    for event, told in (await told_by_the_fanout()).items():
        text = line_of(event)
        if "the same without" in text:
            before = list(HEARD)[list(HEARD).index(event) - 1]
            missing = named(text.partition("the same without")[2])
            assert set(told) == own(before) - missing, event
        else:
            assert set(told) == own(event), event


def own(event: str) -> set[str]:
    """The fields that the text has of an event, without those within others."""
    return named(re.sub(r"\(`.*?\)", "", line_of(event)))


async def test_the_fields_of_a_message_of_the_history_are_named() -> None:
    row = {
        "key": str(ID),
        "conversation_id": str(ID),
        "sender_id": str(ID),
        "recipient_id": str(ID),
        "content_sealed": "",
        "created_at": AT,
        "read_at": None,
        **dict.fromkeys(("notice_kind", "notice_booking_id", "notice_reason")),
    }
    shown = _shown(row, Chat(ID, ID, ID, ID, opened=True), People({}, {}))
    assert set(shown) <= own("chat-history")
    assert own("chat-history") - set(shown) == {"messages"}


async def test_the_fields_of_an_error_are_named() -> None:
    realtime, server = Realtime(settings_of_nothing()), Recorder()
    realtime.server = server
    problem = Problem(
        429,
        "rate_limited",
        "Wait",
        faults=[Fault(pointer="/a", detail="b")],
        headers={"Retry-After": "1"},
    )
    connection = Connection("sid", "token", Caller(), "")
    await realtime._failed(connection, "typing", "Failed to tell", problem)
    assert set(server.emitted["error"]) == named(line_of("error")) - {"reason"}


def test_the_socket_is_where_the_text_says() -> None:
    assert f"`/{PATH}`" in introduction()
