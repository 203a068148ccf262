"""A worker in a process of its own, for tests that kill it: `python -m … <group>`.

Its settings come from the environment; a line `ready` on standard output says that it works.
"""

from __future__ import annotations

import sys

from infra import process
from infra.settings import load_settings
from processors.feeding import worker


def main() -> None:
    worker.announce_ready = lambda: print("ready", flush=True)
    process.run_process("worker", load_settings(), worker.run_worker(sys.argv[1]))


if __name__ == "__main__":
    main()
