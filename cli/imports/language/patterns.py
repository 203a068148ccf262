"""Regular expressions of a mapping. They run over every cell of files that nobody has read, so
the engine is RE2, whose time grows with the text and never runs away.
"""

from __future__ import annotations

from functools import lru_cache

import re2

PATTERN_LENGTH_MAX = 1_000
MEMORY_MAX = 8 << 20


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False  # it would write to standard error by itself
    options.max_mem = MEMORY_MAX
    return options


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re2._Regexp:
    return re2.compile(pattern, _options())


def check_pattern(pattern: str) -> None:
    """Raises ValueError when this is no expression, or one that needs backtracking."""
    if len(pattern) > PATTERN_LENGTH_MAX:
        message = f"a regular expression of more than {PATTERN_LENGTH_MAX} characters"
        raise ValueError(message)
    try:
        _compiled(pattern)
    except (re2.error, UnicodeEncodeError) as error:
        message = (
            f"not a regular expression that can be used: {_told(error)}. "
            "Look-arounds and back-references are not supported (the syntax is that of RE2)"
        )
        raise ValueError(message) from None


def named_groups(pattern: str) -> tuple[str, ...]:
    """The names of its groups, in their order."""
    found = sorted((at, name) for name, at in _compiled(pattern).groupindex.items())
    return tuple(name.decode() if isinstance(name, bytes) else name for _, name in found)


def groups_in(pattern: str, cell: str) -> dict[str, str | None] | None:
    """What the named groups of the first match hold; None without a match."""
    found = _compiled(pattern).search(cell)
    return None if found is None else {name: found[name] for name in named_groups(pattern)}


def matches(pattern: str, cell: str) -> bool:
    """Whether the cell holds a match, anywhere."""
    return _compiled(pattern).search(cell) is not None


def _told(error: Exception) -> str:
    said = error.args[0] if error.args else error
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
