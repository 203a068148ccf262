"""Become another program, leaving a pid file first: `python launch.py PIDFILE PROGRAM ARG…`.

The pid file is written by the process it names, before the program starts, and under a
lock that the program keeps for its life. A parent that is interrupted between fork and
file can therefore neither leave a server that nobody knows of nor cause a second one.
Standard library only: it runs with `-I -S`, which keeps it at about 15 ms.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

# The exit code that says so (EX_TEMPFAIL): an earlier one, or a child of it, still runs.
LOCKED = 75

# Beside the pid file; whoever runs for this folder holds it.
LOCK_NAME = "alive"


def identity(pid: int) -> str | None:
    """What tells this process from a later one with the same pid; None when it is gone.

    A zombie counts as gone: where process 1 does not reap (containers), the killed
    servers of an earlier session stay zombies for ever.
    """
    proc = Path("/proc")
    if not (proc / "self" / "stat").exists():
        return _identity_by_ps(pid)
    try:
        # The program's name may hold spaces and brackets; what follows the last ")" is fixed.
        fields = (proc / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] in "ZX" and int(fields[17]) <= 1:
        # With threads left it only looks dead: its sockets and locks are still held.
        return None
    # Start ticks count from boot, so a reboot could repeat them for the same pid.
    boot = (proc / "sys" / "kernel" / "random" / "boot_id").read_text("utf-8").strip()
    return f"{boot}:{fields[19]}"


def _identity_by_ps(pid: int) -> str | None:
    """The same where there is no /proc: state and start time as `ps` tells them."""
    command = ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
    state, _, started = asked.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


def main(argv: list[str]) -> None:
    """Write the pid file, then exec. The working directory and user are the parent's doing."""
    pid_file, program = Path(argv[0]), argv[1:]
    if not leave_pid_file(pid_file):
        sys.exit(LOCKED)
    user = os.environ.pop("MESH_LAUNCH_USER", "")
    if user:
        # After the pid file, because the state folder belongs to the starting user.
        _become(user)
    os.execvp(program[0], program)  # noqa: S606 - becoming that program is the point


def leave_pid_file(pid_file: Path) -> bool:
    """Name this process as the one that runs for the file's folder; False when another one does."""
    if not _keep_lock(pid_file.with_name(LOCK_NAME)):
        return False
    pid = os.getpid()
    draft = pid_file.with_suffix(".draft")
    draft.write_text(json.dumps({"pid": pid, "identity": identity(pid)}), "utf-8")
    draft.replace(pid_file)
    return True


def try_lock(descriptor: int) -> bool:
    """Lock an open file against every other process; False when another one has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _keep_lock(path: Path) -> bool:
    """Take the lock that outlives `exec`; False when another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if not try_lock(descriptor):
        os.close(descriptor)
        return False
    os.set_inheritable(descriptor, True)
    return True


def _become(user: str) -> None:
    """Drop root for good: groups first, as they cannot be changed afterwards."""
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


if __name__ == "__main__":
    main(sys.argv[1:])
