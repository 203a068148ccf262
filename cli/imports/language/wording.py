"""What is wrong with a part of a mapping or with a row's value, in the words of this project: what
pydantic says of it speaks of its own parts, and of no cure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from api.wire.faults import sentence_of

_OTHERWISE: Final = "is not what is taken here: docs/importing.md says what is"
_TEXT: Final = "is no text: write one, in quotes if it is a number or true"
_WHOLE: Final = "is no whole number: write digits, such as 12"
_NUMBER: Final = "is no number: write digits, such as 12.5"
_DAY: Final = "is no day: write one that there is, like 2026-03-01"
_LIST: Final = "is no list: write it in square brackets"
NAMES: Final = "names and values are needed here"
ONE_WORD: Final = "is no single word: write one text, one number, true or false"
# Where the API says "send", a file is written; the rest is told alike.
_SENTENCES: Final[Mapping[str, str]] = {
    "string_type": _TEXT,
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), _WHOLE),
    **dict.fromkeys(
        ("float_type", "float_parsing", "decimal_type", "decimal_parsing", "finite_number"), _NUMBER
    ),
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"),
        _DAY,
    ),
    **dict.fromkeys(("list_type", "tuple_type"), _LIST),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), NAMES),
    "union_tag_not_found": "as: is missing: say which kind of rule it is",
}
_WITH_CONTEXT: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "union_tag_invalid": lambda ctx: (
        f"as: there is no {ctx['tag']!r}; there are {ctx['expected_tags'].replace(chr(39), '')}"
    ),
    "decimal_max_digits": lambda ctx: f"has too many digits: at most {ctx['max_digits']}",
    "decimal_whole_digits": lambda ctx: f"is too large: at most {ctx['whole_digits']} digits",
}


def told_of(found: Mapping[str, Any]) -> str:
    """One of pydantic's findings: what is wrong and how to mend it, without where."""
    kind = found["type"]
    if kind in _WITH_CONTEXT:
        return _WITH_CONTEXT[kind](found["ctx"])
    return _SENTENCES.get(kind) or sentence_of(found) or _OTHERWISE
