"""A house rule about regular expressions: none of ours may run away on a text made for it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

# There is no public way to read a pattern's parts.
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from tests.house.sources import Source, called_name

_MANY = 20  # repeats of what itself repeats: 20 times 20 ways are too many to try
_CALLS = frozenset(["compile", "match", "fullmatch", "search", "sub", "split", "findall"])


def runaway(sources: Iterable[Source]) -> Iterator[str]:
    """Patterns in which what repeats may itself repeat: `(a+)+`, `(a*b?)*`."""
    for source in sources:
        for line, pattern in patterns(source):
            if repeats_itself(pattern):
                yield f"{source.path}:{line}: {pattern} may try each text in too many ways"


def patterns(source: Source) -> Iterator[tuple[int, str]]:
    """Every pattern that is written out: for `re`, and as pydantic's and FastAPI's `pattern`."""
    for node in source.nodes(ast.Call):
        assert isinstance(node, ast.Call)
        if called_name(node) in _CALLS and _is_of_re(node) and node.args:
            yield from _text(node.args[0])
        for keyword in node.keywords:
            if keyword.arg == "pattern":
                yield from _text(keyword.value)


def _is_of_re(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id="re")):
            return True
        case _:
            return False


def _text(node: ast.expr) -> Iterator[tuple[int, str]]:
    match node:
        case ast.Constant(value=str() as text):
            yield node.lineno, text
        case ast.Constant(value=bytes() as raw):
            yield node.lineno, raw.decode("latin-1")


def repeats_itself(pattern: str) -> bool:
    """Whether a repeated part can end in more than one place and so be cut up in many ways."""
    return _nested(_parser.parse(pattern), inside=False)


def _nested(parts: Any, *, inside: bool) -> bool:
    for code, argument in parts:
        if code in (op.MAX_REPEAT, op.MIN_REPEAT):
            lowest, highest, body = argument
            many = highest is op.MAXREPEAT or highest >= _MANY
            varies = many and lowest != highest
            if (inside and varies and not _fenced(parts)) or _nested(body, inside=varies):
                return True
        elif any(_nested(body, inside=inside) for body in _bodies(code, argument)):
            return True
    return False


def _bodies(code: Any, argument: Any) -> list[Any]:
    match code:
        case op.SUBPATTERN:
            return [argument[-1]]
        case op.BRANCH:
            return list(argument[1])
        case op.ASSERT | op.ASSERT_NOT:
            return [argument[1]]
        case _:
            return []


def _fenced(parts: Any) -> bool:
    """Whether a fixed first character tells one round of the repetition from the next: in
    `(,[a-z]+)*` the comma, which what repeats inside never takes.
    """
    code, argument = parts[0]
    if code is not op.LITERAL:
        return False
    rest = [each for each in parts if each[0] in (op.MAX_REPEAT, op.MIN_REPEAT)]
    return not any(_takes(body, argument) for _, (_, _, body) in rest)


def _takes(parts: Any, character: int) -> bool:
    """Whether the character may stand anywhere in what these parts take."""
    for code, argument in parts:
        match code:
            case op.LITERAL:
                taken = argument == character
            case op.IN:
                taken = any(_is_in(kind, each, character) for kind, each in argument)
            case op.MAX_REPEAT | op.MIN_REPEAT:
                taken = _takes(argument[2], character)
            case op.SUBPATTERN | op.BRANCH:
                taken = any(_takes(body, character) for body in _bodies(code, argument))
            case _:
                taken = True
        if taken:
            return True
    return False


def _is_in(kind: Any, each: Any, character: int) -> bool:
    match kind:
        case op.LITERAL:
            return bool(each == character)
        case op.RANGE:
            return bool(each[0] <= character <= each[1])
        case _:
            return True
