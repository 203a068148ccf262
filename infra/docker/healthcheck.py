"""`python -m infra.docker.healthcheck URL`: exit 0 when the process is ready and URL answers."""

from __future__ import annotations

import os
import sys
import urllib.request
from pathlib import Path

TIMEOUT_S = 4.0


def main(url: str) -> int:
    """0 when the ready file stands and `url` answers 200; the reason goes to standard error."""
    ready = os.environ.get("MESH_READY_FILE")
    if ready and not Path(ready).exists():
        sys.stderr.write("not ready yet\n")
        return 1
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):  # noqa: S310 - our own address
            return 0
    except OSError as error:
        sys.stderr.write(f"{url}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
