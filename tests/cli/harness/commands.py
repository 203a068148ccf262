"""Commands run inside the test's process, on settings of its choice."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

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
        return await asyncio.to_thread(_alone, app, words)

    return run


def _alone(app: typer.Typer, words: Sequence[str]) -> Result:
    """What one command says, and nothing that others in this process log meanwhile: the runner
    takes the standard output of all of them.
    """
    before = structlog.get_config()["logger_factory"]
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        return CliRunner().invoke(app, list(words))
    finally:
        structlog.configure(logger_factory=before)
