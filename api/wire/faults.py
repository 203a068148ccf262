"""What is wrong with a value, where, and how to mend it: in words for people, whatever found it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas.log.messages import Fault

POINTER_TOLD_MAX: Final = 200
_PLACES: Final = {"query": "?", "path": "path:", "header": "header:", "cookie": "cookie:"}
_ENUM_MEMBER: Final = re.compile(r"<[\w.]+: ('[^']*')>")  # a client knows values, not our classes
_OTHERWISE: Final = "is not what is taken here: see its description in /openapi.json"
_WHOLE: Final = "is no whole number: send digits, such as 12"
_NUMBER: Final = "is no number: send digits, such as 12.5"
_SWITCH: Final = "is neither true nor false"
_ID: Final = "is no id: send one as you were given it, 32 hex digits with hyphens"
_MOMENT: Final = "is no moment: write it with its zone, like 2026-03-01T12:00:00Z"
_DAY: Final = "is no day: write it like 2026-03-01"
_LIST: Final = "is no list: send it in square brackets"
_OBJECT: Final = "is no object: send it in braces, with names and values"

_SENTENCES: Final[Mapping[str, str]] = {
    "missing": "is required: add it",
    "extra_forbidden": "is not known here: remove it, or mind its spelling",
    "string_type": "is no text: send it in quotes",
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), _WHOLE),
    **dict.fromkeys(
        ("float_type", "float_parsing", "decimal_type", "decimal_parsing", "finite_number"), _NUMBER
    ),
    **dict.fromkeys(("bool_type", "bool_parsing"), _SWITCH),
    **dict.fromkeys(("uuid_type", "uuid_parsing", "uuid_version"), _ID),
    **dict.fromkeys(
        (
            "datetime_type",
            "datetime_parsing",
            "datetime_object_invalid",
            "datetime_from_date_parsing",
            "timezone_aware",
        ),
        _MOMENT,
    ),
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"),
        _DAY,
    ),
    **dict.fromkeys(("list_type", "tuple_type"), _LIST),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), _OBJECT),
}

_Context = Mapping[str, Any]
_WITH_BOUNDS: Final[Mapping[str, Callable[[_Context], str]]] = {
    "too_short": lambda ctx: f"is too short: at least {ctx['min_length']}",
    "string_too_short": lambda ctx: f"is too short: at least {ctx['min_length']}",
    "too_long": lambda ctx: f"is too long: at most {ctx['max_length']}",
    "string_too_long": lambda ctx: f"is too long: at most {ctx['max_length']}",
    "greater_than": lambda ctx: f"is too small: it must be more than {ctx['gt']}",
    "greater_than_equal": lambda ctx: f"is too small: at least {ctx['ge']}",
    "less_than": lambda ctx: f"is too large: it must be less than {ctx['lt']}",
    "less_than_equal": lambda ctx: f"is too large: at most {ctx['le']}",
    "decimal_max_places": lambda ctx: f"is too fine: at most {ctx['decimal_places']} decimals",
    "enum": lambda ctx: f"should be {ctx['expected']}",
    "literal_error": lambda ctx: "should be " + _ENUM_MEMBER.sub(r"\1", ctx["expected"]),
    "told": lambda ctx: str(ctx["told"]),
    "value_error": lambda ctx: str(ctx["error"]),  # one of our own sentences
}


def fault_of(found: Mapping[str, Any]) -> Fault:
    """One of pydantic's findings as where, what and how to mend it.

    The offending value is left out: it may be a password.
    """
    where, *path = found["loc"]
    if where == "body":
        pointer = "".join(f"/{_escaped(part)}" for part in path)
    else:
        pointer = _PLACES.get(str(where), f"{where}:") + ".".join(str(part) for part in path)
    return Fault(pointer=tellable(pointer), detail=sentence_of(found) or _OTHERWISE)


def sentence_of(found: Mapping[str, Any]) -> str:
    """What is wrong and how to mend it, without where; empty for what has no sentence here."""
    kind = found["type"]
    if kind in _WITH_BOUNDS:
        return _WITH_BOUNDS[kind](found["ctx"])
    return _SENTENCES.get(kind, "")


def _escaped(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def tellable(pointer: str) -> str:
    """A pointer with a name of the client's own, which may be longer than anybody wants to read
    and hold what no answer can.
    """
    cut = pointer if len(pointer) <= POINTER_TOLD_MAX else f"{pointer[:POINTER_TOLD_MAX]}…"
    return cut.encode(errors="replace").decode()
