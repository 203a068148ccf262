"""House rules about the code: sizes, names, purity, metrics."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from tests.house.sources import PACKAGES, Source, called_name, functions

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70

# Rules and folds get time, ids and chance as data: a replay must give the same answer.
PURE = ("schemas", "producers", "projections")
IMPURE_PARTS = ("producers/writer",)  # the runtime that carries the clock to the rules
BANNED_CALLS = frozenset(
    ["now", "utcnow", "today", "uuid1", "uuid4", "uuid7", "monotonic", "perf_counter", "urandom"]
)
BANNED_IMPORTS = frozenset(["random", "secrets", "time"])

# A loop that tries again a number of times has an end that it must not fall through.
_LOOPS = (ast.For, ast.AsyncFor)
_BLOCKS = ("body", "orelse", "finalbody", "handlers")

VAGUE_NAMES = frozenset(
    ["util", "utils", "helper", "helpers", "common", "misc", "manager", "service"]
)

METRICS = "infra/metrics.py"
_METRIC_KINDS = frozenset(["Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"])
_METRIC_NAME = re.compile(r"^mesh(_[a-z]+)+$")


def modules_too_long(sources: Iterable[Source]) -> Iterator[str]:
    for source in sources:
        if source.lines > MODULE_LINES_MAX:
            yield (
                f"{source.path}: {source.lines} lines, at most {MODULE_LINES_MAX}: "
                "split it by question, not into part 1 and part 2"
            )


def functions_too_long(sources: Iterable[Source]) -> Iterator[str]:
    for source in sources:
        for function in functions(source):
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield (
                    f"{source.path}:{function.lineno}: {function.name} has {lines} lines, at most "
                    f"{FUNCTION_LINES_MAX}: name its parts"
                )


def vague_names(sources: Iterable[Source]) -> Iterator[str]:
    for source in sources:
        for part in source.path.removesuffix(".py").split("/"):
            if part in VAGUE_NAMES:
                yield f"{source.path}: `{part}` says nothing: name the thing it is"


def impure_calls(sources: Iterable[Source]) -> Iterator[str]:
    for source in sources:
        if not source.within(*PURE) or source.within(*IMPURE_PARTS):
            continue
        for node in source.nodes((ast.Call, ast.Import, ast.ImportFrom)):
            if (found := _impure(node)) is not None:
                line = getattr(node, "lineno", 0)
                yield f"{source.path}:{line}: {found}: time, ids and chance arrive as data"


def _impure(node: ast.AST) -> str | None:
    match node:
        case ast.Call() if called_name(node) in BANNED_CALLS:
            return f"calls {called_name(node)}()"
        case ast.Import(names=names):
            return _banned(alias.name.partition(".")[0] for alias in names)
        case ast.ImportFrom(module=str(module), level=0):
            return _banned([module.partition(".")[0]])
        case _:
            return None


def _banned(modules: Iterable[str]) -> str | None:
    found = sorted(set(modules) & BANNED_IMPORTS)
    return f"imports {', '.join(found)}" if found else None


def retries_that_fall_through(sources: Iterable[Source]) -> Iterator[str]:
    """Loops over `range` that try something and, when no try was good, go on as if one had been."""
    for source in sources:
        for node in source.all_nodes:
            for block in (getattr(node, name, None) for name in _BLOCKS):
                for loop, after in _loops_of(block if isinstance(block, list) else []):
                    if _retries(loop) and not _ends(loop.orelse) and not _ends(after):
                        yield (
                            f"{source.path}:{loop.lineno}: after its last try this loop falls "
                            "through: raise, or return what it means that none was good"
                        )


def _loops_of(block: list[ast.stmt]) -> Iterator[tuple[ast.For | ast.AsyncFor, list[ast.stmt]]]:
    """The loops of a block, each with the statements behind it."""
    for at, statement in enumerate(block):
        if isinstance(statement, _LOOPS):
            yield statement, block[at + 1 :]


def _retries(loop: ast.For | ast.AsyncFor) -> bool:
    """Whether the loop counts and ends early: by a return, or by a break, once a try is good."""
    counts = isinstance(loop.iter, ast.Call) and called_name(loop.iter) == "range"
    inside = [each for statement in loop.body for each in ast.walk(statement)]
    return counts and any(isinstance(each, ast.Return | ast.Break) for each in inside)


def _ends(block: list[ast.stmt]) -> bool:
    """Whether the block says what it means that no try was good: at its end it raises or returns
    a value.
    """
    return any(
        isinstance(each, ast.Raise) or (isinstance(each, ast.Return) and each.value is not None)
        for statement in block
        for each in ast.walk(statement)
    )


def metrics_made_elsewhere(sources: Iterable[Source]) -> Iterator[str]:
    for source in sources:
        if source.path == METRICS or not source.within(*PACKAGES):
            continue
        for node in source.nodes(ast.ImportFrom):
            assert isinstance(node, ast.ImportFrom)
            kinds = {alias.name for alias in node.names} & _METRIC_KINDS
            if node.module == "prometheus_client" and kinds:
                yield f"{source.path}:{node.lineno}: makes a metric: the list is {METRICS}"


def metrics(source: Source) -> Iterator[tuple[str, str, str]]:
    """(Python name, kind, exported name) of each metric that the list makes."""
    for node in source.tree.body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=variable)],
                value=ast.Call(func=ast.Name(id=kind), args=[ast.Constant(value=str(name)), *_]),
            ) if kind in _METRIC_KINDS:
                yield variable, kind, name


def metrics_misnamed(source: Source) -> Iterator[str]:
    """Prometheus naming: base units, counters end in _total and nothing else does."""
    seen: set[str] = set()
    for _, kind, name in metrics(source):
        if not _METRIC_NAME.match(name) or name in seen:
            yield f"{name}: mesh_<words>, lower case, each name once"
        if (kind == "Counter") != name.endswith("_total"):
            yield f"{name}: counters end in _total, and only they"
        if kind == "Histogram" and not name.endswith(("_seconds", "_bytes")):
            yield f"{name}: a histogram's name ends in its base unit"
        if re.search(r"_(ms|millis|minutes|hours|kb|mb|percent)(_|$)", name):
            yield f"{name}: base units only: seconds, bytes, ratio"
        seen.add(name)


def metrics_unused(listed: Source, sources: Iterable[Source]) -> Iterator[str]:
    used = {
        name
        for source in sources
        if source.path != METRICS
        for node in source.nodes((ast.Name, ast.Attribute))
        for name in [node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")]
    }
    for variable, _, name in metrics(listed):
        if variable not in used:
            yield f"{name}: nothing moves {variable}: use it or take it off the list"
