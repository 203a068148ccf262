"""What the long-running processes are started with."""

from __future__ import annotations

import gc

import pytest

import cli.running.processes
from tests.infra.some_settings import some_settings


def test_a_writer_runs_without_the_search_for_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[bool] = []
    monkeypatch.setattr(cli.running.processes, "settings", some_settings)
    monkeypatch.setattr(
        cli.running.processes, "run_process", lambda *_: searched.append(gc.isenabled())
    )
    cli.running.processes.writer()
    assert searched == [False]
    assert gc.isenabled()
