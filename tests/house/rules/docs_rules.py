"""House rules about the documents: what they name exists."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.house.sources import CODE, ROOT

Page = tuple[str, str]  # path from the root, text

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(rf"^(?:{'|'.join([*CODE, 'docs'])})/[\w./-]*$")
_MODULE = re.compile(r"^python -m ([\w.]+)")
_INDENTED = re.compile(r"^ {4}(\S.*)$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"[<>…*{}]")


def pages(root: Path = ROOT) -> list[Page]:
    """Every Markdown page of the repository."""
    found = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    return [
        (path.relative_to(root).as_posix(), path.read_text("utf-8"))
        for path in sorted(found)
        if path.name != "PLAN.md"
    ]


def broken_links(found: Iterable[Page], root: Path = ROOT) -> Iterator[str]:
    """Links to files that aren't there. Links to other sites are not followed."""
    for path, text in found:
        for target in _LINK.findall(_FENCE.sub("", text)):
            file = target.partition("#")[0]
            if file and "://" not in file and not (root / path).parent.joinpath(file).exists():
                yield f"{path}: link to {target}: no such file"


def missing_paths(found: Iterable[Page], root: Path = ROOT) -> Iterator[str]:
    """Paths in code spans that aren't there."""
    for path, text in found:
        for span in code(text):
            if _PATH.match(span) and not _PLACEHOLDER.search(span) and not (root / span).exists():
                yield f"{path}: `{span}`: no such file or folder"


def missing_modules(found: Iterable[Page]) -> Iterator[str]:
    """`python -m …` of modules that aren't there."""
    for path, text in found:
        for span in code(text):
            module = _MODULE.match(span)
            if module and not _exists(module[1]):
                yield f"{path}: `{span}`: no such module"


def wrong_commands(found: Iterable[Page], mesh: Any) -> Iterator[str]:
    """`mesh …` with a command or an option that the program, a click command, doesn't have."""
    for path, text in found:
        for span in code(text):
            if span.startswith("mesh "):
                for fault in _faults(span, mesh):
                    yield f"{path}: `{span}`: {fault}"


def missing_targets(found: Iterable[Page], targets: Collection[str]) -> Iterator[str]:
    """`make …` of targets that the Makefile doesn't have."""
    for path, text in found:
        for span in code(text):
            words = span.split()
            if words[:1] == ["make"] and len(words) > 1 and words[1] not in targets:
                yield f"{path}: `{span}`: no such target"


def make_targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))


def code(text: str) -> Iterator[str]:
    """Code spans, and the lines of shell blocks without prompt and comment."""
    blocks = [body for language, body in _FENCE.findall(text) if language in {"", "sh", "bash"}]
    prose = _FENCE.sub("", text)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += _INDENTED.findall(prose)
    yield from (span.strip() for span in _SPAN.findall(prose))
    yield from (line.removeprefix("$ ").partition("  #")[0].strip() for line in lines)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _faults(line: str, mesh: Any) -> Iterator[str]:
    """What is wrong with a command line; words in capitals or brackets stand for values."""
    command: Any = mesh
    words = [word.strip("[]") for word in _words(line)[1:]]
    while (known := getattr(command, "commands", None)) and words and not words[0].startswith("-"):
        name = words.pop(0)
        if _PLACEHOLDER.search(name):
            return
        if name not in known:
            yield f"no command {name}"
            return
        command = known[name]
    options = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    for word in words:
        option = word.partition("=")[0]
        if option.startswith("-") and option not in {*options, "--help"}:
            yield f"no option {option}"


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()
