from __future__ import annotations

import pytest

from tests.house.rules.claim_rules import (
    blind_waits,
    claimless,
    left_out,
    patched_libraries,
    repeated_names,
)
from tests.house.sources import Source, sources

HERE = "tests/test_a.py"


def planted(text: str, path: str = HERE) -> list[Source]:
    return [Source(path, text)]


def test_every_test_claims_something() -> None:
    assert list(claimless(sources("tests"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "def test_a():\n    run()",
        "async def test_a():\n    await run()",
        "class TestA:\n    def test_a(self):\n        run()",
        "def run():\n    print(1)\ndef test_a():\n    run()",
    ],
)
def test_a_test_that_claims_nothing_is_caught(text: str) -> None:
    assert len(list(claimless(planted(text)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "def test_a():\n    assert run()",
        "def test_a():\n    with pytest.raises(ValueError):\n        run()",
        "def test_a():\n    given(x).when(y).then(z)",
        "def test_a():\n    given(x).when(y).refused('reason')",
        "async def test_a():\n    await eventually(condition)",
        "def run():\n    assert 1\ndef check():\n    run()\ndef test_a():\n    check()",
    ],
)
def test_a_test_that_claims_something_is_let_through(text: str) -> None:
    assert not list(claimless(planted(text)))


def test_no_test_waits_blindly() -> None:
    assert list(blind_waits(sources("tests"))) == []


@pytest.mark.parametrize("call", ["time.sleep(1)", "sleep(0.1)", "asyncio.sleep(pause)"])
def test_a_blind_wait_is_caught(call: str) -> None:
    assert len(list(blind_waits(planted(call)))) == 1
    assert not list(blind_waits(planted(call, "tests/waiting.py")))
    assert not list(blind_waits(planted("asyncio.sleep(0)")))


def test_no_test_replaces_a_part_of_a_library() -> None:
    assert list(patched_libraries(sources("tests"))) == []


@pytest.mark.parametrize("target", ["media.asyncio, 'sleep'", "'media.asyncio.sleep'"])
def test_a_replaced_part_of_a_library_is_caught(target: str) -> None:
    assert len(list(patched_libraries(planted(f"monkeypatch.setattr({target}, sleep)")))) == 1
    ours = target.replace(".asyncio", "")
    assert not list(patched_libraries(planted(f"monkeypatch.setattr({ours}, sleep)")))


def test_no_test_is_left_out() -> None:
    assert list(left_out(sources("tests"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "@pytest.mark." + "skip\ndef test_a(): ...",
        "@pytest.mark." + "xfail\ndef test_a(): ...",
        "pytest." + "importorskip('faust')",
        "pytest." + "skip('later')",
    ],
)
def test_a_test_left_out_is_caught(text: str) -> None:
    assert len(list(left_out(planted(text)))) == 1


def test_no_test_hides_another_of_the_same_name() -> None:
    assert list(repeated_names(sources("tests"))) == []


def test_a_repeated_name_is_caught() -> None:
    text = "def test_a():\n    assert 1\ndef test_a():\n    assert 2"
    assert len(list(repeated_names(planted(text)))) == 1
    assert not list(repeated_names(planted("class A:\n def test_a(self): ...\ndef test_a(): ...")))
