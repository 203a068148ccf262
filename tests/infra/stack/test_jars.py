"""Fetching the servers' jars: once, whoever asks and however many."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.stack.servers import jars

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "marketmesh"


class Fetching:
    """Makes a file of each jar's name; one that is there already was fetched before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self.fetched: list[str] = []

    def __call__(self, jar: dict[str, str]) -> Path:
        path = self._folder / f"{jar['artifact']}-{jar['version']}.jar"
        with self._lock:
            self.fetched.append(path.name)
            assert not path.exists(), "fetched twice"
            path.touch()
        return path


def test_who_asks_at_once_for_one_server_has_it_fetched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching = Fetching(tmp_path)
    monkeypatch.setattr(jars, "_fetch", fetching)
    with ThreadPoolExecutor(4) as crowd:
        found = set(crowd.map(lambda _: jars.classpath("kafka"), range(4)))
    assert len(found) == 1
    assert len(fetching.fetched) == len(set(fetching.fetched)) > 10


def test_a_jar_that_is_gone_is_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "_fetch", Fetching(tmp_path))
    paths = jars.classpath("kafka").split(":")
    for path in paths:
        Path(path).unlink()
    again = Fetching(tmp_path)
    monkeypatch.setattr(jars, "_fetch", again)
    assert jars.classpath("kafka").split(":") == paths
    assert len(again.fetched) == len(paths)


def test_another_process_that_fetches_is_waited_for(cache: Path) -> None:
    """Also one that dies: the lock goes with it."""
    program = (
        "import sys; from infra.stack.servers import jars\n"
        "with jars.alone('fetching'):\n"
        "    print('mine', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "mine\n"
    entered = threading.Event()

    def enter() -> None:
        with jars.alone("fetching"):
            entered.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    assert not entered.wait(0.5)
    holder.kill()
    holder.communicate()
    assert entered.wait(20)
    waiting.join()
