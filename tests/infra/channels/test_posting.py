"""What an answer of a provider says, whatever stands in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from infra.channels.posting import RETRY_AFTER_S_MAX, Answer, NotReachedError, Poster


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("7", 7), (" 7 ", 7), ("9" * 400, RETRY_AFTER_S_MAX), ("", None), ("-1", None),
     ("1.5", None), ("soon", None), ("²", None), ("Mon, 99 Jan 2026 00:00:00 GMT", None),
     ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Thu, 01 Jan 1970 00:00:00 -0000", 0),
     ("Fri, 31 Dec 9999 23:59:59 GMT", RETRY_AFTER_S_MAX),
     ("Fri, 31 Dec 9999 23:59:59 -2359", RETRY_AFTER_S_MAX)],
)  # fmt: skip
def test_how_long_to_wait_is_read_in_both_forms(text: str, expected: float | None) -> None:
    assert Answer(429, {"retry-after": text}).retry_after_s == expected


def test_a_date_is_so_many_seconds_from_now() -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    wait_s = Answer(503, {"retry-after": until}).retry_after_s
    assert wait_s is not None
    assert 90 < wait_s <= 100


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>", b'"x"', b"\xff", b"[" * 60_000])
def test_a_body_that_is_no_object_has_no_fields(body: bytes) -> None:
    assert Answer(400, {}, body).fields() == {}


def test_an_answer_does_not_show_what_was_said() -> None:
    assert "canary" not in repr(Answer(400, {"x": "canary"}, b"canary"))


@pytest.mark.parametrize(
    "url", ["", "ftp://127.0.0.1/", "https://", "https://a:99999/", "https://é\x00/", "http://[/"]
)
async def test_what_is_no_address_reaches_nobody(url: str) -> None:
    poster = Poster()
    with pytest.raises(NotReachedError):
        await poster.post(url, {}, b"")
    await poster.aclose()
