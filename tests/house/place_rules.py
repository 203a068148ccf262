"""House rules about what must never be in a commit: registries' addresses, machines' paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# Built from pieces, so that this file does not hold what it forbids.
_HOSTS = (
    "pypi" + ".org",
    "pypi" + ".python.org",
    "pythonhosted" + ".org",
    "repo1.maven" + ".org",
    "repo.maven" + ".apache.org",
    "registry.npmjs" + ".org",
    "proxy.golang" + ".org",
    "static.crates" + ".io",
    "index.crates" + ".io",
)
_PATHS = re.compile(r"(?<![\w.~/-])/(?:work|tmp|root|home|Users)/[\w.]")


def registry_hosts(files: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Addresses of package registries: any mirror must do, so none may be written down."""
    for path, text in files:
        for number, line in enumerate(text.splitlines(), start=1):
            for host in _HOSTS:
                if host in line:
                    yield f"{path}:{number}: a package registry's address: take it out"


def machine_paths(files: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Paths of somebody's machine: they are there on no other."""
    for path, text in files:
        for number, line in enumerate(text.splitlines(), start=1):
            if found := _PATHS.search(line):
                yield f"{path}:{number}: {found.group()}…: a path of one machine: make it relative"
