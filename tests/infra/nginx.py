"""nginx's configuration language, as far as ours uses it: words, blocks, strings, comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TOKEN = re.compile(
    r"""\#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[{};]|(?:[^\s{};"'\#])(?:[^\s{};])*|(\S)"""
)


@dataclass(frozen=True)
class Directive:
    """`name words…;` or `name words… { block }`."""

    name: str
    words: tuple[str, ...]
    block: tuple[Directive, ...] = ()

    def all(self, name: str) -> list[Directive]:
        return [each for each in self.block if each.name == name]

    def one(self, name: str) -> Directive:
        (found,) = self.all(name)
        return found

    def value(self, name: str) -> str:
        return " ".join(self.one(name).words)

    def deep(self) -> Iterator[Directive]:
        for each in self.block:
            yield each
            yield from each.deep()


def parsed(path: Path) -> Directive:
    """The whole file as one block; raises ValueError where a brace or a semicolon is missing."""
    tokens = [match[0] for match in _TOKEN.finditer(path.read_text("utf-8")) if match[0][0] != "#"]
    block, rest = _block(tokens)
    if rest:
        message = f"unexpected {rest[0]!r}"
        raise ValueError(message)
    return Directive("file", (), tuple(block))


def _block(tokens: list[str]) -> tuple[list[Directive], list[str]]:
    found: list[Directive] = []
    words: list[str] = []
    while tokens:
        token, *tokens = tokens
        if token == "{":
            inner, tokens = _block(tokens)
            if not tokens or tokens.pop(0) != "}":
                message = f"{words[0]} has no end"
                raise ValueError(message)
            found.append(Directive(words[0], tuple(words[1:]), tuple(inner)))
            words = []
        elif token == ";":
            found.append(Directive(words[0], tuple(words[1:])))
            words = []
        elif token == "}":
            tokens = [token, *tokens]
            break
        else:
            words.append(token.strip("\"'"))
    if words:
        message = f"{' '.join(words)} has no semicolon"
        raise ValueError(message)
    return found, tokens
