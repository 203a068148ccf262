"""What caches on the way may keep. An answer to somebody who said who they are is theirs alone,
whatever its route says of answers to everyone: what it shows may depend on who asked.
"""

from __future__ import annotations

from collections.abc import Iterable

Header = tuple[bytes, bytes]

# Unless their route says otherwise nobody keeps them: a forgotten header must not leave
# somebody's page in a shared cache.
_NO_STORE = (b"cache-control", b"no-store")
_VARY = (b"vary", b"Authorization")


def for_caches(headers: list[Header], *, signed: bool) -> None:
    """Complete the headers of an answer; `signed`: its request had an Authorization header."""
    place = next((at for at, (name, _) in enumerate(headers) if name == b"cache-control"), None)
    if place is None:
        headers.append(_NO_STORE)
        return
    directives = [each.strip() for each in headers[place][1].split(b",")]
    if b"no-store" in directives:
        return
    if signed:
        headers[place] = (b"cache-control", b", ".join(_private(directives)))
    headers.append(_VARY)


def _private(directives: Iterable[bytes]) -> list[bytes]:
    return [b"private", *(each for each in directives if each not in (b"public", b"private"))]
