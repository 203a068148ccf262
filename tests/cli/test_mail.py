"""`mesh mail`: what the sink of the local stack has kept, shown without harm to who reads it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import Result
from typer import Typer
from typer.testing import CliRunner

from cli.sinks import mail
from infra.stack.servers import mailbox as boxes
from infra.stack.servers.mailbox import Mailbox

LINK = "http://127.0.0.1:8000/verify-email?token=abc"


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    monkeypatch.setenv("MESH_STATE", str(tmp_path))
    (tmp_path / "ports.json").write_text("{}")  # as the first `mesh up` does
    return Mailbox(tmp_path / "mail" / "box")


def mesh(*words: str) -> Result:
    app = Typer()
    mail.register(app)
    return CliRunner().invoke(app, list(words))


def keep(box: Mailbox, subject: str, text: str = LINK) -> None:
    content = f"From: mesh@example.org\r\nSubject: {subject}\r\n\r\n{text}\r\n"
    box.keep(content.encode(), ["nimal@example.org"])


def test_an_empty_box_says_so(box: Mailbox) -> None:
    told = mesh()
    assert (told.exit_code, told.output) == (0, "no mail has been sent\n")


def test_the_newest_comes_first(box: Mailbox) -> None:
    for subject in ("first", "second", "third"):
        keep(box, subject)
    lines = mesh("--count", "2").output.splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["third", "second"]


def test_one_is_shown_whole(box: Mailbox) -> None:
    keep(box, "older", "something else")
    keep(box, "Please confirm")
    shown = mesh("1").output
    assert "Subject: Please confirm" in shown
    assert LINK in shown.splitlines()
    assert "something else" in mesh("2").output


def test_as_json_for_programs(box: Mailbox) -> None:
    keep(box, "Please confirm")
    (told,) = json.loads(mesh("--json").output)
    assert (told["to"], told["subject"]) == ("nimal@example.org", "Please confirm")
    assert told["text"] == f"{LINK}\n"


def test_asking_for_one_that_is_not_there_is_an_error(box: Mailbox) -> None:
    keep(box, "only")
    told = mesh("2")
    assert told.exit_code == 1
    assert "only 1" in told.output


def test_NS_06_a_mail_cannot_write_to_the_terminal(box: Mailbox) -> None:
    keep(box, "[red]sub\x1b]0;owned\x07ject[/red]", "\x1b[2Jtext")
    assert "\x1b" not in mesh().output
    assert "[red]" in mesh().output
    assert "\x1b" not in mesh("1").output


def test_only_the_owner_reads_what_is_kept(box: Mailbox) -> None:
    keep(box, "private")
    (file,) = box.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(box.folder.stat().st_mode) == 0o700


def test_the_oldest_go_when_there_are_too_many(
    box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boxes, "KEPT_MAX", 3)
    for number in range(5):
        keep(box, f"mail {number}")
    assert [each.message["Subject"] for each in box.newest()] == ["mail 4", "mail 3", "mail 2"]
