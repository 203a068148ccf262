"""House rules about assertions that hold though nothing is there: each must be able to fail."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from tests.house.sources import Function, Source, called_name, functions

_VIEWS = (".values()", ".items()", ".keys()")


def hollow(sources: Iterable[Source]) -> Iterator[str]:
    """`all(… for each in found)` and `not any(…)` hold of none at all: whether there is one must
    be asserted beside it.
    """
    for source in sources:
        if source.within("tests"):
            for function in functions(source):
                yield from _hollow_in(source, function)


def _hollow_in(source: Source, function: Function) -> Iterator[str]:
    claims = [node for node in ast.walk(function) if isinstance(node, ast.Assert)]
    for claim in claims:
        elsewhere = [ast.unparse(each.test) for each in claims if each is not claim]
        for call, beside in _for_every_one(claim.test):
            for looked_through in _looked_through(call):
                if not any(looked_through in text for text in (*elsewhere, *beside)):
                    yield (
                        f"{source.path}:{claim.lineno}: {function.name} would pass with no "
                        f"{looked_through} at all: assert that there is one"
                    )


def _for_every_one(test: ast.expr) -> Iterator[tuple[ast.Call, list[str]]]:
    """The claim's `all(…)` and `not any(…)`, and what is claimed beside it by `and`."""
    parts = test.values if isinstance(test, ast.BoolOp) else [test]
    for part in parts:
        beside = [ast.unparse(each) for each in parts if each is not part]
        match part:
            case ast.Call() if called_name(part) == "all":
                yield part, beside
            case ast.UnaryOp(op=ast.Not(), operand=ast.Call() as call):
                if called_name(call) == "any":
                    yield call, beside


def _looked_through(call: ast.Call) -> Iterator[str]:
    """What it goes through, unless that is written out and so holds something."""
    for argument in call.args:
        if isinstance(argument, ast.GeneratorExp | ast.ListComp):
            iterated = argument.generators[0].iter
            if not isinstance(iterated, ast.Tuple | ast.List | ast.Set | ast.Constant):
                text = _plain(ast.unparse(iterated))
                if not text.isupper():  # a constant is written out, too
                    yield text


def _plain(text: str) -> str:
    for view in _VIEWS:
        text = text.removesuffix(view)
    return text


def vague(sources: Iterable[Source]) -> Iterator[str]:
    """A status that may be one of several: the test does not know what it asks for."""
    for source in sources:
        if not source.within("tests"):
            continue
        for claim in source.nodes(ast.Assert):
            assert isinstance(claim, ast.Assert)
            if _takes_several(claim.test):
                yield f"{source.path}:{claim.lineno}: takes any of several statuses: say which"


def _takes_several(test: ast.expr) -> bool:
    match test:
        case ast.Compare(left=ast.Attribute(attr="status_code"), ops=[ast.In() | ast.NotIn()]):
            return isinstance(test.ops[0], ast.In)
        case _:
            return False
