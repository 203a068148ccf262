"""What each rule gives for a row. A value is plain data (text, number, list, mapping), which
VehicleFields judges afterwards. None means "not stated".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from cli.imports.cells import TypedNumber, lines_kept, one_line, shown, stripped, title_case
from cli.imports.language.amounts import (
    EXACT,
    ROUNDINGS,
    THOUSANDTHS,
    Amount,
    Notation,
    check_beside,
    check_plain,
    read_amount,
    refused,
    rounded,
    whole,
)
from cli.imports.language.dates import read_date
from cli.imports.language.parts import Cells, Word
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
    NumberRule,
    PlainRule,
    PowerRule,
    TemplateRule,
    TextRule,
    WordRule,
    chosen,
    columns_of,
    names_in,
)
from cli.imports.language.units import KM_PER_MILE, KW_PER, SPELLINGS, is_sign_of
from cli.imports.outcomes import Refusal, RefusedBy, RefusedError, Unread
from schemas.values.money import digits_of, minor_units
from schemas.values.vehicles import YEAR_MAX, YEAR_MIN

# A field that a date fills → how much of the date it holds.
DATED = {
    "year": "year",
    "import_year": "year",
    "first_registration": "month",
    "date_in_stock": "day",
}
CC_MIN = 20  # no engine of a vehicle is smaller, and none has so many litres
KEEP_LINES = frozenset({"description"})  # fields whose line breaks say something
_PLAIN_NUMBERS = Notation(thousands=())
_DEGREES = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{1,20})?")
_DEGREES_MAX = 180


def value_of(name: str, rule: AnyRule, cells: Cells, currency: object = None) -> Any:
    """The value of a field; raises RefusedError. Templates are filled later, by `compose`, and
    only money asks for the row's currency.
    """
    plain: AnyRule | None = rule
    try:
        plain = chosen(rule, cells)
        return None if plain is None else _value(name, plain, cells, currency)
    except RefusedError as error:
        raise _placed(error.refusal, name, plain or rule) from None


def compose(template: str, values: Mapping[str, object]) -> str | None:
    """A template filled with the values there are; None when there are none."""
    texts = {name: _plain(values.get(name)) for name in names_in(template)}
    return one_line(template.format_map(texts)) or None


def _placed(found: Refusal, name: str, rule: AnyRule) -> RefusedError:
    columns = columns_of(rule)
    column = found.column or (columns[0] if columns else "")
    detail = f"{name}: column {column!r}: {found.detail}"
    return RefusedError(replace(found, detail=detail, field=name, column=column))


def _value(name: str, rule: PlainRule, cells: Cells, currency: object) -> Any:
    match rule:
        case ConstantRule(value=value):
            return value
        case TemplateRule():
            return None
        case MonthRule():
            return _month(rule, cells)
        case GeoRule():
            return _place(rule, cells)
        case DateRule():
            return _date(name, rule, cells[rule.column])
        case TextRule() | WordRule() | ListRule():
            cell = cells[rule.column]
            return rule.default if _is_absent(cell, rule.absent) else _words(name, rule, cell)
        case _:
            return _number(rule, cells[rule.column], currency)


def _is_absent(cell: str, absent: tuple[str, ...]) -> bool:
    return not cell or cell in absent


def _words(name: str, rule: TextRule | WordRule | ListRule, cell: str) -> Any:
    match rule:
        case TextRule():
            return _text(rule, cell, keep_lines=name in KEEP_LINES)
        case WordRule():
            return _word(rule, cell)
        case ListRule(separator=separator):
            parts = (one_line(part) for part in cell.split(separator))
            return [part for part in parts if part] or None


def _number(rule: NumberRule, cell: str, currency: object) -> Any:
    if _is_absent(cell, rule.absent):
        if rule.default is None:
            return None
        cell = str(rule.default)
    amount = read_amount(cell, rule.notation, of_money=isinstance(rule, MoneyRule))
    match rule:
        case MoneyRule():
            return _money(rule, amount, cell, str(currency or ""))
        case DisplacementRule(unit="l"):
            check_beside(amount, SPELLINGS["l"], cell)  # 1.598 l is 1598 cm³ everywhere
            return rounded(amount.value * 1000)
        case IntegerRule():
            check_beside(amount, (), cell)
        case _:
            check_beside(amount, SPELLINGS[rule.unit], cell)
    check_plain(amount, rule.notation, cell)
    return _of_unit(rule, amount.value, cell)


def _of_unit(
    rule: IntegerRule | DistanceRule | PowerRule | DisplacementRule, value: Decimal, cell: str
) -> Any:
    match rule:
        case IntegerRule():
            return _scaled(rule, value, cell)
        case DistanceRule():
            return _distance(rule, value)
        case PowerRule():
            return rounded(value * KW_PER[rule.unit])
        case DisplacementRule():
            if 0 < value < CC_MIN:
                raise refused(Unread.UNKNOWN_UNIT, cell, "is it litres? If so write unit: l")
            return rounded(value)


def _scaled(rule: IntegerRule, value: Decimal, cell: str) -> int:
    if rule.factor is None and rule.rounding is None:
        return whole(value, cell)
    product = EXACT.multiply(value, rule.factor or Decimal(1))
    return rounded(product, ROUNDINGS[rule.rounding or "half_up"])


def _distance(rule: DistanceRule, value: Decimal) -> dict[str, Any]:
    to = rule.to or rule.unit
    if to != rule.unit:
        value = (
            EXACT.multiply(value, KM_PER_MILE) if to == "km" else EXACT.divide(value, KM_PER_MILE)
        )
    return {"value": rounded(value), "unit": "KMT" if to == "km" else "SMI"}


def _money(rule: MoneyRule, amount: Amount, cell: str, currency: str) -> int:
    """Minor units of the row's currency, two digits where none is stated."""
    for word in amount.beside:
        if not is_sign_of(word, currency):
            if not _may_be_sign(word):
                check_beside(amount, (), cell)
            raise refused(Unread.OTHER_CURRENCY, cell, _sign_cure(word, currency))
    if not _has_thousandths(currency):
        check_plain(amount, rule.notation, cell)
    try:
        return minor_units(amount.value, currency)
    except ValueError:
        cure = f"{currency or 'the amount'} has no such small unit"
        raise refused(Unread.NOT_WHOLE, cell, cure) from None


def _may_be_sign(word: str) -> bool:
    """Whether it could be any currency's, as `%` and `.` could not."""
    return any(each.isalpha() or unicodedata.category(each) == "Sc" for each in word)


def _sign_cure(word: str, currency: str) -> str:
    if not currency:
        return f"{shown(word)} stands beside it and the row states no currency"
    return (
        f"{shown(word)} is no sign of {currency}, the row's currency: declare it under "
        "multipliers if it multiplies, under ignore if it changes nothing"
    )


def _has_thousandths(currency: str) -> bool:
    """Whether its prices have just so many digits as a group of thousands: of four, as of two, three
    behind the mark are as likely thousands.
    """
    return digits_of(currency) == THOUSANDTHS


def _text(rule: TextRule, cell: str, *, keep_lines: bool) -> Word:
    if cell in rule.words:
        return rule.words[cell]
    text = cell
    for character in rule.spaces_for:
        text = text.replace(character, " ")
    text = lines_kept(text) if keep_lines else one_line(text)
    match rule.case:
        case "title":
            return title_case(text)
        case "lower":
            return text.lower()
        case "upper":
            return text.upper()
        case "keep":
            return text


def _word(rule: WordRule, cell: str) -> Word:
    word = cell.casefold()
    if word in rule.by_small_letters:
        return rule.by_small_letters[word]
    if rule.unknown == "absent":
        return None
    cure = "the vocabulary has no such word: add it under words, or write unknown: absent"
    raise refused(Unread.UNKNOWN_WORD, cell, cure)


def _date(name: str, rule: DateRule, cell: str) -> int | str | None:
    """As much of the date as the field holds."""
    if _is_absent(cell, rule.absent):
        if rule.default is None:
            return None
        cell = str(rule.default)
    found = read_date(cell, rule.forms, rule.years_from)
    match DATED[name]:
        case "year":
            return found.year
        case "month":
            return f"{found.year:04d}-{found.month or 0:02d}"
        case _:
            return f"{found.year:04d}-{found.month or 0:02d}-{found.day or 0:02d}"


def _month(rule: MonthRule, cells: Cells) -> str | None:
    year, month = cells[rule.year], cells[rule.month]
    if _is_absent(year, rule.absent) or _is_absent(month, rule.absent):
        return None
    years = _whole_in(rule.year, year, YEAR_MIN, YEAR_MAX)
    return f"{years:04d}-{_whole_in(rule.month, month, 1, 12):02d}"


def _whole_in(column: str, cell: str, smallest: int, largest: int) -> int:
    amount = read_amount(cell, _PLAIN_NUMBERS)
    check_beside(amount, (), cell)
    check_plain(amount, _PLAIN_NUMBERS, cell)
    found = whole(amount.value, cell)
    if smallest <= found <= largest:
        return found
    detail = f"{shown(cell)}: is not between {smallest} and {largest}"
    raise RefusedError(Refusal(RefusedBy.VALIDATION, "invalid_field", detail, column=column))


def _place(rule: GeoRule, cells: Cells) -> dict[str, float] | None:
    if rule.column is not None:
        cell = cells[rule.column]
        if _is_absent(cell, rule.absent):
            return None
        first, second = _halves(rule, cell)
        lat, lon = (first, second) if rule.order == "lat_lon" else (second, first)
        return {"lat": _degrees(rule, lat), "lon": _degrees(rule, lon)}
    lat, lon = cells[rule.lat or ""], cells[rule.lon or ""]
    if _is_absent(lat, rule.absent) and _is_absent(lon, rule.absent):
        return None
    return {"lat": _degrees(rule, lat), "lon": _degrees(rule, lon)}


def _halves(rule: GeoRule, cell: str) -> tuple[str, str]:
    parts = [stripped(part) for part in cell.split(rule.separator)]
    if len(parts) != 2:  # noqa: PLR2004 - a pair
        raise refused(Unread.NOT_A_PLACE, cell, f"two numbers with {rule.separator!r} between them")
    return parts[0], parts[1]


def _degrees(rule: GeoRule, cell: str) -> float:
    """Degrees have a sign and decimals, and never thousands or units."""
    if isinstance(cell, TypedNumber):
        return _typed_degrees(cell)
    plain = cell.replace("\u2212", "-")
    if rule.decimal == ",":
        plain = plain.replace(".", " ").replace(",", ".")
    if not _DEGREES.fullmatch(plain):
        cure = f"degrees are written like -48{rule.decimal}137, and either both are absent or none"
        raise refused(Unread.NOT_A_PLACE, cell, cure)
    return float(plain)


def _typed_degrees(cell: str) -> float:
    """A number as its file holds it, with an exponent or as many digits as a computer writes."""
    found = Decimal(cell)
    if abs(found) > _DEGREES_MAX:
        cure = f"degrees are at most {_DEGREES_MAX}"
        raise refused(Unread.NOT_A_PLACE, cell, cure)
    return float(found)


def _plain(value: object) -> str:
    return "" if value is None else str(value)
