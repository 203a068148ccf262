"""Moments leave in UTC with `Z`, and whatever left is taken back, however it was pasted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import TypeAdapter

from api.wire.emitted import MomentParameter, json_of, moment
from tests.api.acting.selling import Seller, path_of
from tests.api.matrix import THINGS
from tests.api.operations import DOCUMENT, OPERATIONS, Operation
from tests.api.running import Mesh
from tests.house.sources import sources

NOW = {"views", "favorites", "is_favorite"}  # what a past has none of
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")
AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SPELLINGS = (
    "2026-03-01T12:00:00.123456Z",
    "2026-03-01T12:00:00.123456+00:00",
    "2026-03-01T12:00:00.123456 00:00",
    "2026-03-01T17:30:00.123456+05:30",
    "2026-03-01T17:30:00.123456 05:30",
    "2026-03-01T07:00:00.123456-05:00",
    "2026-03-01 12:00:00.123456Z",
)
READ = TypeAdapter[datetime](MomentParameter).validate_python


def moments_in(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for each in value.values():
                yield from moments_in(each)
        case list():
            for each in value:
                yield from moments_in(each)
        case str() if MOMENT.fullmatch(value):
            yield value


def parameters(operation: Operation) -> list[str]:
    found = []
    for each in operation.document.get("parameters", []):
        schemas = [each["schema"], *each["schema"].get("anyOf", [])]
        if each["in"] == "query" and any(one.get("format") == "date-time" for one in schemas):
            found.append(each["name"])
    return found


ASKED = [(each, name) for each in OPERATIONS for name in parameters(each)]


def test_moments_leave_with_z() -> None:
    colombo = AT.astimezone(timezone(timedelta(hours=5.5)))
    assert json_of({"at": AT}) == b'{"at":"2026-03-01T12:00:00.123456Z"}'
    assert {moment(AT), moment(colombo)} == {"2026-03-01T12:00:00.123456Z"}


@pytest.mark.parametrize("sent", SPELLINGS)
def test_every_spelling_of_a_moment_is_taken(sent: str) -> None:
    assert READ(sent) == AT


@pytest.mark.parametrize(
    "sent", ["2026-03-01T12:00:00", "2026-03-01 12:00", "yesterday", "12:00 05:30"]
)
def test_a_moment_without_an_offset_is_none(sent: str) -> None:
    with pytest.raises(ValueError, match=r"datetime|timezone"):
        READ(sent)


def test_every_example_of_the_document_ends_with_z() -> None:
    assert [each for each in moments_in(DOCUMENT) if not each.endswith("Z")] == []


def test_json_is_made_in_one_place() -> None:
    """Else one route would spell its moments otherwise. What is listed makes no answers."""
    inside = {"api/wire/emitted.py", "api/entry/commands.py", "api/backends/tokens.py", "api/entry/paging.py",
              "api/messaging/rooms.py", "api/messaging/realtime.py"}  # fmt: skip
    found = {
        source.path
        for source in sources("api")
        for node in ast.walk(ast.parse(source.text))
        if isinstance(node, ast.Attribute)
        and node.attr == "dumps"
        and isinstance(node.value, ast.Name)
        and node.value.id in ("json", "orjson")
    }
    assert found <= inside, "use api.wire.emitted.json_of"


def test_moments_are_asked_for_somewhere() -> None:
    assert {name for _, name in ASKED} >= {"as_of", "since", "until"}


@pytest.mark.parametrize(("operation", "name"), ASKED, ids=[f"{a.id}-{b}" for a, b in ASKED])
async def test_every_parameter_takes_what_is_emitted_also_pasted_unescaped(
    mesh: Mesh, operation: Operation, name: str
) -> None:
    admin = Seller(mesh, await mesh.account("admin"))
    offered = await admin.offer()
    listing_id = path_of(offered).rpartition("/")[2]
    path = operation.path_of(listing_id) if operation.has_id else operation.path
    assert THINGS[operation.id].kind == "draft" if operation.has_id else True
    now = (await admin.read(path_of(offered), offered)).json()["updated_at"]
    pasted = [
        now,
        now.replace("Z", "+00:00"),
        now.replace("Z", "%2B00:00"),
        now.replace("Z", " 00:00"),
    ]
    for sent in pasted:
        answer = await mesh.client.get(f"{path}?{name}={sent}", headers=admin.account.headers)
        assert answer.status_code == 200, (sent, answer.text)


async def test_every_moment_that_was_read_gives_the_version_that_it_was_read_with(
    mesh: Mesh,
) -> None:
    """The page's, the history's and the prices' times are one clock."""
    seller = Seller(mesh, await mesh.account("seller"))
    last = await seller.offer()
    path = path_of(last)
    pages = [(await seller.read(path, last)).json()]
    for version in range(2, 8):
        last = await seller.change(version, path, price_minor=version)
        pages.append((await seller.read(path, last)).json())
    for page in pages:
        past = (await seller.read(path, last, as_of=page["updated_at"])).json()
        assert past == {name: value for name, value in page.items() if name not in NOW}
    history = (await seller.read(f"{path}/history", last)).json()["items"]
    assert [each["at"] for each in history[1:]] == [page["updated_at"] for page in pages]
    prices = (await seller.read(f"{path}/price-history", last)).json()["items"]
    assert [each["since"] for each in prices] == [page["updated_at"] for page in pages]
    told = [*moments_in(pages), *moments_in(history), *moments_in(prices)]
    assert told
    assert [each for each in told if not each.endswith("Z")] == []
