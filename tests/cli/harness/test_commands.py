"""The harness of the commands' tests gives what a command says, whatever runs beside it."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
import structlog
import typer

from tests.cli.harness.commands import commands_on
from tests.infra.some_settings import some_settings


async def test_what_others_log_is_none_of_the_commands_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def say() -> None:
        other = threading.Thread(target=lambda: structlog.get_logger().info("beside"))
        other.start()
        other.join()
        typer.echo("said")

    module = SimpleNamespace(settings=None, register=lambda app: app.command("say")(say))
    found = await commands_on(some_settings(), monkeypatch, module)("say")
    assert (found.exit_code, found.stdout) == (0, "said\n")
