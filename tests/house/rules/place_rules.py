"""House rules about places: which must never be in a commit (registries' addresses, machines'
paths), and how many modules one folder holds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

MODULES_MAX = 20  # of one folder: as many as somebody takes in at a look

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


def crowded_folders(paths: Iterable[str]) -> Iterator[str]:
    """Folders in which nobody finds anything: what they hold has groups, which have names."""
    modules = (PurePosixPath(path) for path in paths if path.endswith(".py"))
    counted = Counter(str(each.parent) for each in modules if each.name != "__init__.py")
    for folder, count in sorted(counted.items()):
        if count > MODULES_MAX:
            yield f"{folder}: {count} modules: group them in folders of at most {MODULES_MAX}"
