"""What a query may say: names that are known, each once unless it is a list, and values written
as the document has them. Libraries take more for a number or a moment than any client means:
`1_0` for ten, the digits of every script, seconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter

from api.wire.faults import sentence_of, tellable
from api.wire.problems import Problem
from schemas.log.messages import Fault

# What a value of each type or format of JSON Schema looks like, and which of pydantic's findings
# another one is.
_FORMS: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "date-time": (
        re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}.*", re.ASCII),
        "datetime_parsing",
    ),
    "date": (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII), "date_parsing"),
    "number": (re.compile(r"-?[0-9]+(\.[0-9]+)?([Ee][+-]?[0-9]+)?", re.ASCII), "float_parsing"),
    "integer": (re.compile(r"-?[0-9]+", re.ASCII), "int_parsing"),
    "boolean": (re.compile("true|false", re.ASCII), "bool_parsing"),
}
_TWICE: Final = "is there more than once: send it once"


@dataclass(frozen=True)
class Parameter:
    """One name that a query may hold; `form` is a key of the forms, or empty for any text."""

    many: bool
    form: str


def parameters_of(route: APIRoute) -> dict[str, Parameter]:
    """By name what the route's query may say: what FastAPI parses, and what the document tells of
    more.
    """
    return {name: _parameter(schema) for name, schema in _schemas(route)}


def refuse_unclear(request: Request, known: Mapping[str, Parameter]) -> None:
    """Raise the problem of a query that is not as it should be, before anybody reads it."""
    faults: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in request.query_params.multi_items():
        parameter = known.get(name)
        if parameter is None:
            faults[name] = _unknown(known)
        elif name in seen and not parameter.many:
            faults[name] = _TWICE
        elif parameter.form and not _FORMS[parameter.form][0].fullmatch(value):
            faults[name] = sentence_of({"type": _FORMS[parameter.form][1]})
        seen.add(name)
    if faults:
        told = [Fault(pointer=tellable(f"?{name}"), detail=faults[name]) for name in sorted(faults)]
        raise Problem(422, "invalid", "Some parameters are not as they should be", faults=told)


def _unknown(known: Mapping[str, Parameter]) -> str:
    names = ", ".join(f"`{each}`" for each in sorted(known))
    return f"is not known here; known: {names}" if known else "is not known here: take it out"


def _schemas(route: APIRoute) -> Iterator[tuple[str, Mapping[str, Any]]]:
    found = [route.dependant]
    for wanted in found:
        found += wanted.dependencies
        for each in wanted.query_params:
            annotation: Any = each.field_info.annotation
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                yield from annotation.model_json_schema()["properties"].items()
            else:
                yield each.alias, TypeAdapter(annotation).json_schema()
    for told in (route.openapi_extra or {}).get("parameters", ()):
        if told["in"] == "query":
            yield told["name"], told["schema"]


def _parameter(schema: Mapping[str, Any]) -> Parameter:
    kinds = list(_kinds(schema))
    form = next((each for each in _FORMS if each in kinds), "")
    return Parameter(many="array" in kinds, form=form)


def _kinds(schema: Mapping[str, Any]) -> Iterator[str]:
    """Its types and formats, those of its alternatives and of what a list of it holds."""
    yield from (schema[name] for name in ("type", "format") if isinstance(schema.get(name), str))
    for each in (*schema.get("anyOf", ()), *filter(None, [schema.get("items")])):
        yield from _kinds(each)
