"""The repository's own files, as the house rules read them.

A rule is a function from sources to complaints; a complaint says where, what, and what to do
instead. Each rule's test has a twin that plants a violation and sees it caught.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
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

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    def within(self, *folders: str) -> bool:
        """Whether the file lies in one of these folders (or is one of these files)."""
        return any(self.path == each or self.path.startswith(f"{each}/") for each in folders)

    def nodes(self, kind: type[ast.AST] | tuple[type[ast.AST], ...]) -> Iterator[ast.AST]:
        return (node for node in ast.walk(self.tree) if isinstance(node, kind))


Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*folders: str) -> list[Source]:
    """Every Python file of these folders of the repository."""
    return [
        Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not _NOT_OURS & set(path.parts)
    ]


def text_files() -> Iterator[tuple[str, str]]:
    """(path, text) of every text file that a commit may hold."""
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
