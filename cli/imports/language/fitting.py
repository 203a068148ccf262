"""Which rule can fill which field. What a mapping promises a field is tried on the field when
the mapping is read: a word that no listing may have would refuse rows one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from enum import Enum, StrEnum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import ValidationError

from cli.imports.language.dates import parts_of
from cli.imports.language.made import AnyMade, WordsColumns
from cli.imports.language.parts import Word
from cli.imports.language.rules import (
    AnyRule,
    ConstantRule,
    DateRule,
    DisplacementRule,
    DistanceRule,
    GeoRule,
    IntegerRule,
    ListRule,
    MoneyRule,
    MonthRule,
    PlainRule,
    PowerRule,
    TemplateRule,
    TextRule,
    WhenRule,
    WordRule,
    leaves_of,
    names_in,
)
from cli.imports.language.values import DATED, value_of
from cli.imports.language.wording import told_of
from cli.imports.outcomes import RefusedError
from schemas.values.vehicles import GeoPoint, Mileage, VehicleFields

ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Kind(StrEnum):
    """What a field holds, as far as rules are concerned."""

    TEXT = "a text"
    CHOICE = "one of a list of words"
    NUMBER = "a whole number"
    TRUTH = "true or false"
    DATE = "a date"
    LIST = "a list of texts"
    DISTANCE = "a mileage"
    PLACE = "a place"


_KINDS: Mapping[type, Kind] = {
    bool: Kind.TRUTH,
    int: Kind.NUMBER,
    date: Kind.DATE,
    tuple: Kind.LIST,
    Mileage: Kind.DISTANCE,
    GeoPoint: Kind.PLACE,
    str: Kind.TEXT,
}


def _bare(annotation: Any) -> type:
    """The type under options, constraints and parameters."""
    origin = get_origin(annotation)
    if origin in {Union, UnionType}:
        (inner,) = (each for each in get_args(annotation) if each is not type(None))
        return _bare(inner)
    if origin is Annotated:
        return _bare(get_args(annotation)[0])
    found: type = origin or annotation
    return found


def _kind_of(annotation: Any) -> Kind:
    bare = _bare(annotation)
    return Kind.CHOICE if issubclass(bare, Enum) else _KINDS[bare]


FIELDS: Mapping[str, Kind] = {
    name: _kind_of(each.annotation) for name, each in VehicleFields.model_fields.items()
}

_SPOKEN = frozenset({Kind.TEXT, Kind.CHOICE, Kind.DATE})
_OF_KIND: Mapping[type, frozenset[Kind]] = {
    TextRule: _SPOKEN,
    WordRule: _SPOKEN | {Kind.NUMBER, Kind.TRUTH},
    ConstantRule: _SPOKEN | {Kind.NUMBER, Kind.TRUTH},
    TemplateRule: frozenset({Kind.TEXT}),
    IntegerRule: frozenset({Kind.NUMBER}),
    ListRule: frozenset({Kind.LIST}),
    DistanceRule: frozenset({Kind.DISTANCE}),
    GeoRule: frozenset({Kind.PLACE}),
}
# What these give has a meaning that only one field has.
_ONLY: Mapping[type, str] = {
    MoneyRule: "price_minor",
    PowerRule: "power_kw",
    DisplacementRule: "engine_cc",
    MonthRule: "first_registration",
}
_IN_TEMPLATES = frozenset({Kind.TEXT, Kind.CHOICE, Kind.NUMBER, Kind.DATE})
RULE_KINDS: tuple[type, ...] = (*_OF_KIND, *_ONLY, DateRule)


def fills(rule: type, field: str) -> bool:
    """Whether a rule of this kind can ever fill this field."""
    if rule is DateRule:
        return field in DATED
    if rule in _ONLY:
        return _ONLY[rule] == field
    return FIELDS[field] in _OF_KIND[rule]


def as_held(field: str, value: Any) -> Any:
    """The value in the form that the field has: `3` is a text where a text is meant."""
    if isinstance(value, int) and not isinstance(value, bool) and FIELDS[field] in _SPOKEN:
        return str(value)
    return value


def fault_of(field: str, value: Any) -> str | None:
    """Why the field can't hold this value, if so. Stricter than VehicleFields where that would
    take one kind for another: `1` is no truth, and `86400` no date.
    """
    held, kind = as_held(field, value), FIELDS[field]
    wanted = {Kind.NUMBER: int, Kind.TRUTH: bool}.get(kind, str if kind in _SPOKEN else object)
    if not isinstance(held, wanted) or (isinstance(held, bool) and kind is not Kind.TRUTH):
        return f"{field} holds {kind}, not {_named(held)}"
    if kind is Kind.DATE and not ISO_DATE.fullmatch(str(held)):
        return f"{field} holds a date like 2026-01-31"
    try:
        VehicleFields.model_validate({field: held})
    except ValidationError as error:
        return "; ".join(map(told_of, error.errors(include_url=False)))
    return None


def faults_of(
    field: str, rule: AnyRule, others: Mapping[str, AnyRule | None]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """(place within the rule, what is wrong) for all that can never fill this field. `others`
    are the mapping's fields, None for those whose rule can't be read.
    """
    if field not in FIELDS:
        yield (), f"there is no such field; there are {', '.join(FIELDS)}"
        return
    if isinstance(rule, WhenRule):
        for inner, leaf in leaves_of(rule):
            for place, message in faults_of(field, leaf, others):
                yield (*inner, *place), message
        return
    if not fills(type(rule), field):
        yield (
            ("as",),
            f"{rule.kind} can't fill {field}, which holds {FIELDS[field]}; {_cure(field)}",
        )
        return
    yield from _own_faults(field, rule, others)


def _own_faults(
    field: str, rule: PlainRule, others: Mapping[str, AnyRule | None]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What a rule of the right kind says that its field can't take."""
    match rule:
        case ConstantRule():
            yield from _promised(field, ("value",), rule.value)
        case TemplateRule(template=template):
            yield from _template_faults(template, others)
        case TextRule(words=words) | WordRule(words=words):
            for word, value in words.items():
                yield from _promised(field, ("words", word), value)
            yield from _promised(field, ("default",), rule.default)
            if isinstance(rule, WordRule) and {*words.values(), rule.default} == {None}:
                yield ("words",), f"no word gives a value, so {field} is never filled"
        case ListRule(default=None) | MonthRule() | GeoRule():
            pass
        case DateRule():
            yield from _date_faults(field, rule)
        case ListRule(default=default):
            yield from _promised(field, ("default",), default)
        case _:
            yield from _default_faults(field, rule)


def targets_unfitting(
    columns: Sequence[AnyMade | None], rules: Mapping[str, AnyRule | None]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """(place, what is wrong) for each word that a made column gives to a field that can't take
    it. What a pattern finds only cells tell.
    """
    for at, made in enumerate(columns):
        if not isinstance(made, WordsColumns):
            continue
        for field, leaf in _reading(made.into, rules):
            for word, target in made.words.items():
                if (fault := _fault_of_target(field, leaf, target)) is not None:
                    yield ("columns", str(at), "words", word), f"{target!r}: {fault}"


def _reading(
    column: str, rules: Mapping[str, AnyRule | None]
) -> Iterator[tuple[str, TextRule | WordRule]]:
    for field, rule in rules.items():
        for _, leaf in leaves_of(rule) if rule is not None and field in FIELDS else ():
            if isinstance(leaf, TextRule | WordRule) and leaf.column == column:
                yield field, leaf


def _fault_of_target(field: str, rule: TextRule | WordRule, target: str) -> str | None:
    if not fills(type(rule), field):
        return None  # told where the rule stands
    try:
        value = value_of(field, rule, {rule.column: target})
    except RefusedError:
        return f"fields.{field} has no such word under words"
    return None if value is None else fault_of(field, value)


def _promised(
    field: str, place: tuple[str, ...], value: Word | tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    if value is not None and (fault := fault_of(field, value)) is not None:
        shown = "" if isinstance(value, tuple) else f"{value!r}: "
        yield place, f"{shown}{fault}"


def _default_faults(field: str, rule: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """A number's default is written as the cell would be, so it is read like one."""
    if rule.default is None:
        return
    try:
        # In a currency without cents: whether it has some isn't known here, nor matters.
        value = value_of(field, rule, {rule.column: ""})
    except RefusedError as error:
        yield ("default",), error.refusal.detail
        return
    if (fault := fault_of(field, value)) is not None:
        yield ("default",), f"{rule.default!r}: {fault}"


def _date_faults(field: str, rule: DateRule) -> Iterator[tuple[tuple[str, ...], str]]:
    wanted = DATED[field]
    lacking = [
        form
        for form in rule.forms
        if wanted not in parts_of(form) and wanted != "year"  # check_form wants a year of each
    ]
    for form in lacking:
        yield ("forms",), f"{form!r} states no {wanted}, which {field} needs"
    if not lacking:
        yield from _default_faults(field, rule)


def _template_faults(
    template: str, others: Mapping[str, AnyRule | None]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for name in names_in(template):
        if name not in others or _is_template(others[name]):
            yield ("template",), f"{{{name}}} is no field of this mapping, or a template itself"
        elif name == "price_minor" or FIELDS.get(name) not in _IN_TEMPLATES:
            yield ("template",), f"{{{name}}} is no text or number that can stand in a sentence"


def _is_template(rule: AnyRule | None) -> bool:
    return rule is not None and any(isinstance(leaf, TemplateRule) for _, leaf in leaves_of(rule))


def _cure(field: str) -> str:
    kinds = [each.model_fields["kind"].default for each in RULE_KINDS if fills(each, field)]  # type: ignore[attr-defined]
    return f"use as: {' or '.join(kinds)}"


def _named(value: object) -> str:
    match value:
        case bool():
            return "true or false (a word needs quotes)"
        case int():
            return "a number"
        case str():
            return "a text"
        case _:
            return "this"
