"""What the long-running processes are started with."""

from __future__ import annotations

import gc

import pytest

import cli.processes
from tests.infra.some_settings import some_settings


def test_a_writer_runs_without_the_search_for_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[bool] = []
    monkeypatch.setattr(cli.processes, "settings", some_settings)
    monkeypatch.setattr(cli.processes, "run_process", lambda *_: searched.append(gc.isenabled()))
    cli.processes.writer()
    assert searched == [False]
    assert gc.isenabled()
