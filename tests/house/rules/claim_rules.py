"""House rules about tests: each proves something, none waits blindly, none is left out."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator

from tests.house.sources import Function, Source, called_name, functions

WAITING = "tests/waiting.py"  # the one place that may sleep

# Calls that fail when the claim is wrong, besides functions of tests that assert themselves.
_PROVING = frozenset(
    ["raises", "fail", "warns", "then", "refused", "eventually", "eventually_blocking"]
)
_LEAVING_OUT = frozenset(
    ["skip", "skipif", "xfail", "importorskip", "skipIf", "skipUnless", "expectedFailure"]
)


def is_test(function: Function) -> bool:
    return function.name.startswith("test_")


def claimless(sources: Iterable[Source]) -> Iterator[str]:
    """Tests in which nothing can fail but by accident."""
    all_sources = list(sources)
    proving = _proving_names(all_sources)
    for source in all_sources:
        if not _holds_tests(source):
            continue
        for function in functions(source):
            if is_test(function) and not _proves(function, proving):
                yield (
                    f"{source.path}:{function.lineno}: {function.name} asserts nothing: "
                    "assert, pytest.raises, then or refused"
                )


def _proving_names(sources: Iterable[Source]) -> frozenset[str]:
    """The names of functions of tests that assert, by themselves or through others."""
    known = [
        function for source in sources for function in functions(source) if not is_test(function)
    ]
    names, size = set(_PROVING), -1
    while len(names) != size:
        size = len(names)
        names |= {each.name for each in known if _proves(each, frozenset(names))}
    return frozenset(names)


def _proves(function: Function, proving: frozenset[str]) -> bool:
    return any(
        isinstance(node, ast.Assert)
        or (isinstance(node, ast.Call) and called_name(node) in proving)
        or (isinstance(node, ast.Raise) and "AssertionError" in ast.dump(node))
        for node in ast.walk(function)
    )


def _holds_tests(source: Source) -> bool:
    return source.path.rpartition("/")[2].startswith("test_")


def blind_waits(sources: Iterable[Source]) -> Iterator[str]:
    """Sleeps: too short and the test is flaky, too long and it is slow, and it proves nothing."""
    for source, call in _calls_of(sources, "sleep"):
        if source.path != WAITING and not _only_yields(call):
            yield (
                f"{source.path}:{call.lineno}: sleeps: poll with tests.waiting.eventually; "
                "let_pass is for time that is itself the input"
            )


def _only_yields(call: ast.Call) -> bool:
    match call.args:
        case [ast.Constant(value=0)]:
            return True
        case _:
            return False


def patched_libraries(sources: Iterable[Source]) -> Iterator[str]:
    """A function of the standard library that is replaced is replaced for everybody who runs
    in the process: a loop elsewhere that sleeps by it never gives way again.
    """
    for source, call in _calls_of(sources, "setattr"):
        owner = _patched(call).rpartition(".")[2]
        if owner in sys.stdlib_module_names - {"sys"}:
            yield (
                f"{source.path}:{call.lineno}: replaces a part of {owner} for everybody: "
                "import it by name where it is used, and replace it there"
            )


def _patched(setattr_call: ast.Call) -> str:
    """What has a part replaced: `media.asyncio` for both of pytest's spellings."""
    match setattr_call.args:
        case [ast.Constant(value=str(target)), *_]:
            return target.rpartition(".")[0]
        case [target, *_]:
            return ast.unparse(target)
    return ""


def _calls_of(sources: Iterable[Source], name: str) -> Iterator[tuple[Source, ast.Call]]:
    """Every call of that name in a test, with where it stands."""
    for source in sources:
        if source.within("tests"):
            for node in source.nodes(ast.Call):
                assert isinstance(node, ast.Call)
                if called_name(node) == name:
                    yield source, node


def left_out(sources: Iterable[Source]) -> Iterator[str]:
    """Tests that don't run prove nothing, and nobody looks at them again."""
    for source in sources:
        if not source.within("tests"):
            continue
        for node in source.nodes(ast.Attribute):
            assert isinstance(node, ast.Attribute)
            if node.attr in _LEAVING_OUT:
                yield f"{source.path}:{node.lineno}: {node.attr}: mend the test or take it away"


def names_of_tests(sources: Iterable[Source]) -> Iterator[tuple[str, str]]:
    """(path, name) of every test."""
    for source in sources:
        if _holds_tests(source):
            for function in functions(source):
                if is_test(function):
                    yield source.path, function.name


def repeated_names(sources: Iterable[Source]) -> Iterator[str]:
    """A second test of the same name in a module or class silently replaces the first."""
    for source in sources:
        scopes = [source.tree, *source.nodes(ast.ClassDef)]
        for scope in scopes:
            assert isinstance(scope, ast.Module | ast.ClassDef)
            seen: set[str] = set()
            for node in scope.body:
                if isinstance(node, Function) and is_test(node):
                    if node.name in seen:
                        yield f"{source.path}:{node.lineno}: {node.name} stands twice"
                    seen.add(node.name)
