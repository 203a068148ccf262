"""House rules about projections: each is listed, and each has a test of its own."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator

from tests.house.sources import Source


def made(sources: Iterable[Source]) -> Iterator[tuple[Source, str]]:
    """Every module-level Projection, or one that a factory makes, with its variable's name."""
    for source in sources:
        for node in source.tree.body:
            match node:
                case ast.AnnAssign(
                    target=ast.Name(id=name),
                    value=ast.Call(func=ast.Name(id="Projection" | "shares")),
                ):
                    yield source, name
                case ast.Assign(
                    targets=[ast.Name(id=name)],
                    value=ast.Call(func=ast.Name(id="Projection" | "shares")),
                ):
                    yield source, name


def unlisted(sources: Iterable[Source], listed: Collection[str]) -> Iterator[str]:
    """A projection outside the list is never fed, and nothing else would tell."""
    for source, name in made(sources):
        if name not in listed:
            yield f"{source.path}: {name} is not in projections.PROJECTIONS: add it"


def untested(sources: Iterable[Source], tests: Collection[str]) -> Iterator[str]:
    """No read model without a test: an untested copy of a rule goes its own way."""
    for source, name in made(sources):
        folder, _, file = source.path.rpartition("/")
        wanted = f"tests/{folder}/test_{file}"
        if wanted not in tests:
            yield f"{source.path}: {name} has no test: write {wanted}"
