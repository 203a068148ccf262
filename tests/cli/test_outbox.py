"""`mesh outbox`: the SMS and push messages of a machine of development, shown without harm."""

from __future__ import annotations

import json
import multiprocessing
import stat
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from click.testing import Result
from typer import Typer
from typer.testing import CliRunner

from cli.sinks import outbox as command
from infra.channels import outbox as boxes
from infra.channels.opened import open_channels
from infra.channels.outbox import Outbox, SinkSms
from infra.channels.sms import Sms
from tests.infra.channels.adapters import DEVICE, PUSH
from tests.infra.channels.given import settings_with

NUMBER = "+94771234567"


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    monkeypatch.setenv("MESH_STATE", str(tmp_path))
    (tmp_path / "ports.json").write_text("{}")  # as the first `mesh up` does
    return Outbox(tmp_path / "outbox")


def mesh(*words: str) -> Result:
    app = Typer()
    command.register(app)
    return CliRunner().invoke(app, list(words))


async def keep(box: Outbox, *texts: str) -> None:
    for text in texts:
        await SinkSms(box).send(Sms(NUMBER, text), uuid4())


def test_an_empty_box_says_so(box: Outbox) -> None:
    told = mesh()
    assert (told.exit_code, told.output) == (0, "no SMS or push message has been sent\n")


async def test_NO_14_what_a_process_sends_to_the_sink_is_shown(box: Outbox) -> None:
    settings = settings_with(sms_via="sink", push_via="sink")
    async with open_channels(settings) as channels:
        assert channels.sms is not None
        await channels.sms.send(Sms(NUMBER, "Your code is 123456"), uuid4())
        await channels.push.send(PUSH, DEVICE, uuid4())
    sms, text, push, title, body, url = mesh().output.splitlines()
    assert sms.split()[1:] == ["sms", NUMBER]
    assert text.strip() == "Your code is 123456"
    assert push.split()[1:] == ["push/fcm", DEVICE.token]
    assert [each.strip() for each in (title, body, url)] == [PUSH.title, PUSH.body, PUSH.url]


async def test_the_newest_comes_last_and_the_oldest_is_left_out(box: Outbox) -> None:
    await keep(box, "first", "second", "third")
    lines = mesh("--count", "2").output.splitlines()
    assert [each.strip() for each in lines[1::2]] == ["second", "third"]


async def test_as_json_for_programs(box: Outbox) -> None:
    effect_id = UUID(int=7)
    await SinkSms(box).send(Sms(NUMBER, "one\ntwo"), effect_id)
    (told,) = json.loads(mesh("--json").output)
    assert told.pop("came_at")
    assert told == {
        "channel": "sms",
        "to": NUMBER,
        "text": "one\ntwo",
        "effect_id": str(effect_id),
        "url": "",
        "tag": "",
    }


async def test_NS_06_a_message_cannot_write_to_the_terminal(box: Outbox) -> None:
    await keep(box, "\x1b]0;owned\x07 \x1b[2J text\u202e")
    assert "text" in mesh().output
    assert not {"\x1b", "\x07", "\u202e"} & set(mesh().output)
    assert "\x1b" not in mesh("--json").output


async def test_only_the_owner_reads_what_is_kept(box: Outbox) -> None:
    await keep(box, "private")
    (file,) = box.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(box.folder.stat().st_mode) == 0o700


async def test_the_oldest_go_when_there_are_too_many(
    box: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boxes, "KEPT_MAX", 3)
    await keep(box, *"12345")
    assert [each.text for each in box.newest()] == ["3", "4", "5"]


def _many(folder: Path, who: int) -> None:
    for number in range(50):
        Outbox(folder).keep({"channel": "sms", "to": NUMBER, "text": f"{who}.{number}",
                             "effect_id": ""})  # fmt: skip


def test_two_processes_lose_nothing_of_each_other(box: Outbox) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_many, args=(box.folder, who)) for who in (1, 2)]
    for each in processes:
        each.start()
    for each in processes:
        each.join(60)
    assert len({each.text for each in box.newest(200)}) == 100
