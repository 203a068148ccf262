"""Mapping files: YAML in, a checked Mapping out, or every fault with its line, place and cure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from cli.imports.language.fitting import faults_of, targets_unfitting
from cli.imports.language.made import MADE, AnyMade, Made, disorder
from cli.imports.language.mapping import Mapping
from cli.imports.language.rules import RULES, AnyRule, Rule
from cli.imports.language.strict_yaml import SIZE_MAX, Document, Fault, read_yaml
from cli.imports.language.wording import ONE_WORD, told_of

_RULE_DEPTH = 2  # fields.<name>.<kind>.…: pydantic puts the rule's kind into the place
_FAULTS_MAX = 100
# Of a Word, pydantic tells one fault for each kind that it might have been.
_WORDS_KINDS = frozenset(("str", "bool", "int"))
_RULE: TypeAdapter[AnyRule] = TypeAdapter(Rule)
_MADE: TypeAdapter[AnyMade] = TypeAdapter(Made)
T = TypeVar("T")


class MappingError(Exception):
    """The mapping can't be used; the text names every fault by line and place."""

    def __init__(self, faults: list[Fault], name: str = "") -> None:
        told = [f"{name}: {each}" if name else str(each) for each in faults[:_FAULTS_MAX]]
        if len(faults) > _FAULTS_MAX:
            told.append(f"… and {len(faults) - _FAULTS_MAX} more")
        super().__init__("\n".join(told))
        self.faults = faults


def load_mapping(path: Path) -> Mapping:
    """The mapping in a file; raises MappingError."""
    try:
        return parse_mapping(_text_of(path))
    except OSError as error:
        raise MappingError([Fault(0, "", error.strerror or str(error))], str(path)) from error
    except MappingError as error:
        raise MappingError(error.faults, str(path)) from None


def parse_mapping(text: str) -> Mapping:
    """The mapping that a YAML text holds; raises MappingError."""
    document = read_yaml(text)
    if document.faults and document.data is None:
        raise MappingError(document.faults)
    faults = [*document.faults, *_unfitting(document), *_unmade(document)]
    mapping = None
    try:
        mapping = Mapping.model_validate(document.data)
    except ValidationError as error:
        faults += [_fault(document, each) for each in error.errors(include_url=False)]
    if faults or mapping is None:
        raise MappingError(sorted(set(faults)))
    return mapping


def _text_of(path: Path) -> str:
    with path.open("rb") as file:
        found = file.read(SIZE_MAX * 4 + 1)  # as many bytes as so many characters may take
    try:
        return found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = found.count(b"\n", 0, error.start) + 1
        message = f"the byte 0x{found[error.start]:02X} is no UTF-8: save the mapping as UTF-8"
        raise MappingError([Fault(line, "", message)]) from None


def _unfitting(document: Document) -> Iterator[Fault]:
    """What a rule promises its field and can't keep. Asked of each rule that can be read, so
    that a fault elsewhere hides nothing.
    """
    rules = _readable(document.data)
    for name, rule in rules.items():
        if rule is None:
            continue
        for place, message in faults_of(name, rule, rules):
            path = ("fields", name, *place)
            yield Fault(document.line_of(path), ".".join(path), message)


def _unmade(document: Document) -> Iterator[Fault]:
    """What is wrong with columns made of others, as far as one look at the mapping tells."""
    found = document.data.get("columns") if isinstance(document.data, dict) else None
    columns = [_or_none(_MADE, each) for each in found] if isinstance(found, list) else []
    for at, message in disorder(columns):
        path = ("columns", str(at))
        yield Fault(document.line_of(path), ".".join(path), message)
    key = document.data.get("key") if isinstance(document.data, dict) else None
    made = {name for each in columns if each is not None for name in each.makes}
    for at, name in enumerate(key if isinstance(key, list) else ()):
        if name in made:
            message = f"{name!r} is made: ids must not hang on how the mapping makes columns"
            yield Fault(document.line_of(("key", str(at))), f"key.{at}", message)
    for place, message in targets_unfitting(columns, _readable(document.data)):
        yield Fault(document.line_of(place), ".".join(place), message)


def _readable(data: Any) -> dict[str, AnyRule | None]:
    """The fields' rules; None for one that is told where the whole mapping is judged."""
    found = data.get("fields") if isinstance(data, dict) else None
    return {
        name: _or_none(_RULE, rule)
        for name, rule in (found.items() if isinstance(found, dict) else ())
    }


def _or_none(kind: TypeAdapter[T], found: Any) -> T | None:
    try:
        return kind.validate_python(found)
    except ValidationError:
        return None


def _fault(document: Document, fault: Any) -> Fault:
    """`line 12: fields.price_minor.decimal: should be '.' or ','`."""
    place, message = _without_kinds([str(part) for part in fault["loc"]]), told_of(fault)
    if place[-1:] and place[-1] in _WORDS_KINDS and not _is_in(document.data, place):
        place, message = place[:-1], ONE_WORD
    if fault["type"] == "union_tag_not_found":
        kinds = MADE if place[0] == "columns" else RULES
        message = f"as: is missing; there are {', '.join(kinds)}"
    line = document.line_of(tuple(place))
    return Fault(line, ".".join(place) or "the file", message)


def _is_in(data: Any, place: list[str]) -> bool:
    """Whether the file itself has this place, and not only the kinds of what may stand there."""
    for part in place:
        if isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        elif isinstance(data, dict) and part in data:
            data = data[part]
        else:
            return False
    return True


def _without_kinds(place: list[str]) -> list[str]:
    """The place as the file has it: pydantic puts the kind of each rule into it."""
    kinds = {"fields": RULES, "columns": MADE}.get(place[0] if place else "", {})
    at = _RULE_DEPTH
    while at < len(place) and place[at] in kinds:
        del place[at]
        if place[at : at + 1] not in (["then"], ["else"]):
            break
        at += 1  # a rule within a rule
    return place
