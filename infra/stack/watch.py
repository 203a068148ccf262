"""`mesh supervise`: restart what has died or hangs, waiting longer each time for what keeps dying."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.stack import daemons, supervisor
from infra.stack.forking import ForkServer
from infra.stack.processes import PROCESSES, fork_server
from infra.stack.servers.roster import NAMES, SERVERS
from infra.stack.state import BusyError, State
from infra.stack.view import View

log = logging.getLogger("supervise")

LOOK_S: Final = 0.25
PAUSE_FIRST_S: Final = 1.0
PAUSE_MOST_S: Final = 30.0
# Alive this long, a daemon has recovered and its pauses start small again.
RECOVERED_S: Final = 60.0
# Ten beats: longer than anything that a loop does in one step on a machine that has no time.
HUNG_S: Final = 20.0


@dataclass
class Patience:
    """When one daemon may be started next: 0, 1, 2, 4 … 30 s after it was last found dead."""

    pause_s: float = 0.0
    not_before: float = 0.0
    restarted_at: float = 0.0

    def allows(self, now: float) -> bool:
        """Whether a dead daemon may be started at this time (monotonic seconds)."""
        return now >= self.not_before

    def restarted(self, now: float) -> None:
        """Count a restart: soon after the last one it makes the next pause longer."""
        kept_dying = self.restarted_at > 0 and now - self.restarted_at < RECOVERED_S
        self.pause_s = (
            min(max(self.pause_s * 2, PAUSE_FIRST_S), PAUSE_MOST_S) if kept_dying else 0.0
        )
        self.restarted_at = now
        self.not_before = now + self.pause_s


@dataclass
class Pulse:
    """For how long a process has not beaten, by what its watcher has seen of that time: a machine
    that slept, or had no time for the watcher either, says nothing against the process.
    """

    beat: float
    looked_at: float  # monotonic seconds, like all below
    silent_s: float = 0.0

    def look(self, beat: float, now: float) -> None:
        """Note when it has last beaten."""
        seen_s = min(now - self.looked_at, 2 * LOOK_S)
        self.silent_s = self.silent_s + seen_s if beat == self.beat else 0.0
        self.beat, self.looked_at = beat, now


class Watch:
    """Looks at everything that `up` was asked to run and restarts what is dead or hangs."""

    def __init__(
        self,
        state: State,
        clock: Callable[[], float] = time.monotonic,
        forks: ForkServer | None = None,
    ) -> None:
        self._state = state
        self._clock = clock
        self._forks = forks
        self._patience: dict[str, Patience] = {}
        self._pulses: dict[str, Pulse] = {}

    def end_hung(self) -> list[str]:
        """Kill the processes whose loop has stood still for HUNG_S seconds; returns their names.
        `look` starts them again.
        """
        wanted = self._state.desired()
        hung = [each.name for each in PROCESSES if each.name in wanted and self._hangs(each.name)]
        for name in hung:
            log.warning("%s has not moved for %.0f s: ending it", name, HUNG_S)
            daemons.kill(self._state.of(name) / "pid")
            del self._pulses[name]
        return hung

    def _hangs(self, name: str) -> bool:
        now = self._clock()
        try:
            beat = self._state.ready_file(name).stat().st_mtime
        except FileNotFoundError:  # it has not come up yet
            self._pulses.pop(name, None)
            return False
        pulse = self._pulses.setdefault(name, Pulse(beat, now))
        pulse.look(beat, now)
        # What is dead is silent, too: that is for `look` to mend.
        return pulse.silent_s >= HUNG_S and supervisor.is_running(self._state, name)

    def load_ahead(self) -> None:
        """Have the fork server load, once all is up that would be slower for it."""
        if self._forks is None or self._forks.runs:
            return
        desired = self._state.desired()
        wanted = [each.name for each in PROCESSES if each.name in desired]
        if wanted and all(self._state.ready_file(name).exists() for name in wanted):
            self._forks.open()

    def look(self) -> list[str]:
        """One round; returns the names that were started again."""
        dead = [name for name in self._wanted() if not supervisor.is_running(self._state, name)]
        due = [name for name in dead if self._of(name).allows(self._clock())]
        if not due:
            return []
        try:
            with self._state.lock():
                # Read again: a `down` may have come between looking and locking.
                due = [name for name in due if name in self._wanted()]
                self._restart(due)
        except BusyError:
            return []
        return [name for name in due if supervisor.is_running(self._state, name)]

    def _wanted(self) -> list[str]:
        # Servers first: a process that starts before its server would only die again.
        order = [server.name for server in SERVERS] + [process.name for process in PROCESSES]
        desired = self._state.desired()
        return [name for name in order if name in desired]

    def _of(self, name: str) -> Patience:
        return self._patience.setdefault(name, Patience())

    def _restart(self, names: list[str]) -> None:
        for name in names:
            patience = self._of(name)
            patience.restarted(self._clock())
            log.warning("%s is dead: starting it again (pause %.0f s)", name, patience.pause_s)
        try:
            if dead_servers := NAMES & set(names):
                supervisor.servers_up(self._state, dead_servers, View(quiet=True))
            for process in (name for name in names if name not in NAMES):
                supervisor.process_start(self._state, process, self._forks)
        except Exception:
            # Whatever it was, a later round tries again; the pauses keep it affordable.
            log.exception("not everything could be started")
        else:
            log.info("started again: %s", ", ".join(names))


def run(state: State) -> None:
    """Watch until SIGTERM or SIGINT, finishing a repair that is under way."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    ready_file = os.environ.get("MESH_READY_FILE")
    if ready_file:
        Path(ready_file).touch()
    log.info("watching %s", state.folder)
    with fork_server(state) as forks:
        watch = Watch(state, forks=forks)
        while not ended.wait(LOOK_S):
            daemons.reap()
            watch.end_hung()
            watch.look()
            watch.load_ahead()
    log.info("stopped")
