"""What caches may keep of an answer."""

from __future__ import annotations

import pytest

from api.wire.caching import for_caches

KEPT = b"cache-control"


def told(control: bytes | None, *, signed: bool) -> dict[bytes, bytes]:
    headers = [] if control is None else [(KEPT, control)]
    for_caches(headers, signed=signed)
    return dict(headers)


@pytest.mark.parametrize("signed", [True, False])
def test_nobody_keeps_what_says_nothing_of_it(signed: bool) -> None:
    assert told(None, signed=signed) == {KEPT: b"no-store"}


@pytest.mark.parametrize(
    ("control", "private"),
    [
        (b"no-cache", b"private, no-cache"),
        (b"private, no-cache", b"private, no-cache"),
        (b"public, max-age=60", b"private, max-age=60"),
    ],
)
def test_an_answer_to_credentials_is_private(control: bytes, private: bytes) -> None:
    assert told(control, signed=True) == {KEPT: private, b"vary": b"Authorization"}


def test_an_answer_to_anyone_may_be_shared_among_those_without_credentials() -> None:
    found = told(b"public, max-age=60", signed=False)
    assert found == {KEPT: b"public, max-age=60", b"vary": b"Authorization"}


def test_what_nobody_keeps_depends_on_nothing() -> None:
    assert told(b"no-store", signed=True) == {KEPT: b"no-store"}
