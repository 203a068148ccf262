"""JSON bodies read so that there is one way to read them: whoever looked at a request before us, a
gateway or the client's own library, has seen the same values.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from starlette.requests import Request

_NAME_TOLD_MAX = 60
# Names and the values of lists in a body: each that is not as it should be takes as long to tell of as
# a good body to read.
VALUES_MAX = 5_000


class AmbiguousJsonError(ValueError):
    """What JSON's grammar lets pass, or Python's reader, and readers understand differently, or
    what takes them long to read.
    """


class JsonRequest(Request):
    """A request whose JSON is refused when a name stands twice in an object (RFC 8259 leaves open
    which of them counts), when it holds more than any operation takes, or `NaN` and the like, which
    are no JSON. It is UTF-8.
    """

    async def json(self) -> Any:
        """The body; raises AmbiguousJsonError and UnicodeDecodeError beside what the base class
        raises.
        """
        if not hasattr(self, "_json"):
            text = (await self.body()).decode()  # of bytes it would take UTF-16 and more
            found = json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_number)
            _refuse_many(found)
            self._json = found
        return self._json


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        told = ascii(twice[:_NAME_TOLD_MAX])
        message = f"The body has {told} twice in one object: send it once"
        raise AmbiguousJsonError(message)
    return found


def _refuse_many(body: Any) -> None:
    count, rest = 0, [body]
    while rest:
        each = rest.pop()
        if not isinstance(each, dict | list):
            continue
        count += len(each)
        if count > VALUES_MAX:
            message = f"The body holds more than {VALUES_MAX} names and values of lists: send fewer"
            raise AmbiguousJsonError(message)
        rest.extend(each.values() if isinstance(each, dict) else each)


def _no_number(name: str) -> Any:
    message = f"The body has {name}, which is no JSON: leave it out, or send null"
    raise AmbiguousJsonError(message)
