"""Commands run inside the test's process, on settings of its choice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from infra.settings import Settings

Mesh = Callable[..., Awaitable[Result]]


def commands_on(settings: Settings, monkeypatch: pytest.MonkeyPatch, *modules: object) -> Mesh:
    """`await mesh("replay", "status")`; in a thread, for the commands run loops of their own."""
    app = typer.Typer()

    @app.callback()
    def _mesh() -> None:
        """One command would otherwise lose its name."""

    for module in modules:
        monkeypatch.setattr(module, "settings", lambda: settings)
        if hasattr(module, "give_way"):  # the tests' process is not theirs to slow down
            monkeypatch.setattr(module, "give_way", lambda: None)
        module.register(app)  # type: ignore[attr-defined]

    async def run(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, list(words))

    return run
