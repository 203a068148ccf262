"""The repository's own files, as the house rules read them.

A rule is a function from sources to complaints; a complaint says where, what, and what to do
instead. Each rule's test has a twin that plants a violation and sees it caught.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "producers", "projections", "processors", "api", "infra", "cli")
CODE = (*PACKAGES, "tests", "bench")
_NOT_OURS = {".git", ".venv", "__pycache__", "node_modules", "build"}


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the root, with slashes, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def all_nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    def within(self, *folders: str) -> bool:
        """Whether the file lies in one of these folders (or is one of these files)."""
        return any(self.path == each or self.path.startswith(f"{each}/") for each in folders)

    def nodes(self, kind: type[ast.AST] | tuple[type[ast.AST], ...]) -> Iterator[ast.AST]:
        return (node for node in self.all_nodes if isinstance(node, kind))


Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*folders: str) -> list[Source]:
    """Every Python file of these folders of the repository."""
    return [source for folder in folders for source in _sources_of(folder)]


@cache  # rules are many and read the same trees
def _sources_of(folder: str) -> tuple[Source, ...]:
    return tuple(
        Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not _NOT_OURS & set(path.parts)
    )


@cache
def text_files() -> tuple[tuple[str, str], ...]:
    """(path, text) of every text file that a commit may hold."""
    return tuple(_text_files())


def _text_files() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if not path.is_file() or _is_left_out(parts):
            continue
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # no text


def functions(source: Source) -> Iterator[Function]:
    """Every function and method, inner ones too."""
    for node in source.nodes((ast.FunctionDef, ast.AsyncFunctionDef)):
        assert isinstance(node, Function)
        yield node


def called_name(call: ast.Call) -> str:
    """`sleep` of `asyncio.sleep(…)` and of `sleep(…)`."""
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def _is_left_out(parts: tuple[str, ...]) -> bool:
    hidden = any(part.startswith(".") and part not in {".github", ".gitignore"} for part in parts)
    return hidden or bool(_NOT_OURS & set(parts)) or parts[-1] == "PLAN.md"
