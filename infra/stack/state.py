"""The state folder: ports, secrets, settings file, lock. The one place that knows its layout.

<state>/settings.json   what every process reads (mode 0600: it holds the secrets)
<state>/secrets.json    made once, never overwritten (mode 0600)
<state>/ports.json      chosen at first start, kept while they are free
<state>/desired.json    names the supervisor keeps alive
<state>/run/NAME.ready  written by a mesh process when it serves
<state>/NAME/           pid, log and data of one server or process
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import re
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.settings import PARTITIONS_MAX, Settings, SettingsError, is_state_folder
from infra.stack import launch

# Below Linux's ephemeral range (32768…), so that no outgoing connection can sit on a
# remembered port while its server is down.
_PORTS: Final = range(20_000, 32_000)

# OpenSearchRunner refuses any HTTP port above 9299 and has no option for its bound.
_OPENSEARCH_PORTS: Final = range(9_210, 9_300)

PORT_RANGES: Final[Mapping[str, range]] = {
    "kafka": _PORTS,
    "kafka-controller": _PORTS,
    "postgres": _PORTS,
    "opensearch": _OPENSEARCH_PORTS,
    "opensearch-transport": _PORTS,
    "clickhouse": _PORTS,
    "valkey": _PORTS,
    "mail": _PORTS,
    "api": _PORTS,
}
LOCAL_PARTITIONS: Final = 2
# The port people expect, for the stack they get by default; others must not fight for it.
_DEFAULT_STACK: Final = ".mesh"
_DEFAULT_API_PORT: Final = 8000


class BusyError(Exception):
    """Another `mesh up` or `mesh down` holds this state folder."""


@dataclass(frozen=True)
class State:
    """One state folder. Two of them can run side by side on one machine."""

    folder: Path

    @property
    def is_ours(self) -> bool:
        """Whether a mesh has been started from it, or nothing is in it that could be lost."""
        return is_state_folder(self.folder)

    @property
    def settings_file(self) -> Path:
        """Read by infra.settings; written by `up` only."""
        return self.folder / "settings.json"

    @property
    def desired_file(self) -> Path:
        """Names that the supervisor must keep alive."""
        return self.folder / "desired.json"

    def of(self, name: str) -> Path:
        """The folder of one server or process."""
        return self.folder / name

    def ready_file(self, name: str) -> Path:
        """The file that a mesh process creates when it serves."""
        return self.folder / "run" / f"{name}.ready"

    def ports(self) -> dict[str, int]:
        """The remembered ports by name; empty before the first start."""
        return {name: int(port) for name, port in _read(self.folder / "ports.json").items()}

    def desired(self) -> frozenset[str]:
        """What `up` was last asked to run."""
        return frozenset(_read(self.desired_file).get("names", []))

    def want(self, names: frozenset[str]) -> None:
        """Remember what must be kept alive."""
        write_private(self.desired_file, {"names": sorted(names)})

    def settle_ports(self, alive: frozenset[str]) -> dict[str, int]:
        """Keep each remembered port unless it is taken by a stranger, and choose the missing.

        `alive` names the ports whose own server is running: those are ours, not taken.
        """
        ports = self.ports()
        for name, choices in PORT_RANGES.items():
            if name in alive and name in ports:
                continue
            if name not in ports or not _falls_free(ports[name]):
                taken = {port for other, port in ports.items() if other != name}
                ports[name] = _choose(self._preferred(name), choices, taken)
        write_private(self.folder / "ports.json", ports)
        return ports

    def _preferred(self, name: str) -> int | None:
        usual = name == "api" and self.folder.name == _DEFAULT_STACK
        return _DEFAULT_API_PORT if usual else None

    def secrets(self) -> dict[str, str]:
        """The generated secrets, made at the first call. Losing them loses the vault."""
        path = self.folder / "secrets.json"
        known = {name: str(value) for name, value in _read(path).items()}
        if {"MASTER_KEY", "LOOKUP_KEY", "SERVER_PASSWORD", "VAPID_KEY"} <= known.keys():
            return known
        made = {
            "MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "LOOKUP_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            # One password for the three servers that know passwords, made of letters
            # that need no escaping in an address.
            "SERVER_PASSWORD": secrets.token_hex(16),
            # Some number of P-256; browsers that have subscribed know its public part.
            "VAPID_KEY": base64.urlsafe_b64encode(
                (1 + secrets.randbits(255)).to_bytes(32)
            ).decode(),
        } | known
        write_private(path, made)
        return made

    def partitions(self) -> int:
        """How many partitions each topic has: what this folder's log was made with."""
        known = _read(self.settings_file)
        if not known:
            return chosen_partitions()
        return int(known.get("TOPIC_PARTITIONS", Settings.model_fields["topic_partitions"].default))

    def write_settings(self) -> bool:
        """Tell later processes where the servers are; True when the file has changed."""
        values = settings_of(self.ports(), self.secrets(), self.partitions())
        if _read(self.settings_file) == values:
            return False
        write_private(self.settings_file, values)
        return True

    @contextlib.contextmanager
    def lock(self, wait_s: float = 0.0) -> Iterator[None]:
        """Hold the folder against every other command; raises BusyError after `wait_s` seconds.

        The kernel frees the lock when the holder dies, so a crash blocks nobody.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + wait_s
        with (self.folder / "lock").open("a+") as file:
            while not launch.try_lock(file.fileno()):
                if time.monotonic() >= deadline:
                    msg = f"another mesh command is at work in {self.folder}"
                    raise BusyError(msg)
                time.sleep(0.1)
            yield


def chosen_partitions() -> int:
    """How many partitions a new log's topics get: the environment's `TOPIC_PARTITIONS`, or few,
    for each of them costs a small machine some of its time. Raises SettingsError for no such number.
    """
    text = os.environ.get("TOPIC_PARTITIONS") or str(LOCAL_PARTITIONS)
    if re.fullmatch(r"[1-9][0-9]{0,8}", text, re.ASCII) is None or int(text) > PARTITIONS_MAX:
        message = (
            f"TOPIC_PARTITIONS must be a whole number from 1 to {PARTITIONS_MAX}, not {text!r}"
        )
        raise SettingsError(message)
    return int(text)


def settings_of(
    ports: Mapping[str, int], known: Mapping[str, str], partitions: int
) -> dict[str, Any]:
    """The settings file's content for these ports and secrets; keys are environment names."""
    password = known["SERVER_PASSWORD"]
    return {
        "KAFKA_BOOTSTRAP": f"127.0.0.1:{ports['kafka']}",
        "TOPIC_PARTITIONS": partitions,
        "DATABASE_URL": f"postgresql://mesh:{password}@127.0.0.1:{ports['postgres']}/mesh",
        "OPENSEARCH_URL": f"http://127.0.0.1:{ports['opensearch']}",
        "CLICKHOUSE_URL": f"clickhouse://mesh:{password}@127.0.0.1:{ports['clickhouse']}/default",
        "REDIS_URL": f"redis://:{password}@127.0.0.1:{ports['valkey']}/0",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": ports["mail"],
        "SMTP_SECURITY": "none",  # it never leaves this machine
        "SMS_VIA": "sink",
        "PUSH_VIA": "sink",
        "MASTER_KEY": known["MASTER_KEY"],
        "LOOKUP_KEY": known["LOOKUP_KEY"],
        "VAPID_KEY": known["VAPID_KEY"],
        "PORT": ports["api"],
        "PUBLIC_URL": f"http://127.0.0.1:{ports['api']}",
        "CAMPUS_DOMAINS": "example.org,*.example.org,*.example",  # RFC 2606: nobody's
        # Written into secrets.json by whoever changes the master key, else not there.
        **{name: known[name] for name in ("OTHER_MASTER_KEYS",) if name in known},
        # On one's own machine everybody has one address, and a script is soon a crowd.
        "LIMIT_JOINING": "1000 per 15 minutes",
        "LIMIT_ADDRESS": "10000 per 15 minutes",
        "LIMIT_SEARCH": "60000 per minute",
        "LIMIT_DEFAULT": "60000 per minute",
    }


def write_private(path: Path, values: Mapping[str, Any]) -> None:
    """Replace a JSON file in one step, readable by its owner only from its first byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(values, file, indent=2, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return values


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do it: a port in TIME_WAIT after kill -9 is free for its next owner.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _falls_free(port: int, within_s: float = 2.0) -> bool:
    """Whether a remembered port can be had: a server killed just now may still hold it."""
    deadline = time.monotonic() + within_s
    while not _is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _choose(preferred: int | None, choices: range, taken: set[int]) -> int:
    first = [] if preferred is None else [preferred]
    # Random, because two stacks that start together would both take the lowest.
    for port in [*first, *random.sample(choices, len(choices))]:
        if port not in taken and _is_free(port):
            return port
    msg = f"no free port between {choices.start} and {choices.stop - 1}"
    raise OSError(msg)
