"""What there is to say against the VIN of a listing that was taken: hints, and no refusals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from schemas.values.vins import (
    CHECK_PLACE,
    check_digit_fits,
    is_north_american,
    maker_of,
    model_years_of,
)


class Hint(BaseModel):
    """Something that was taken and looks wrong: where it stands, and what to look at."""

    pointer: str
    detail: str


def warnings_about(stated: Mapping[str, Any], latest_year: int) -> list[dict[str, str]]:
    """Hints about the VIN among what is stated, beside its make and its year."""
    vin = stated.get("vin")
    return [] if vin is None else list(_hints(vin, stated, latest_year))


def _hints(vin: str, stated: Mapping[str, Any], latest_year: int) -> Iterator[dict[str, str]]:
    if not check_digit_fits(vin):
        yield _hint(
            "/vin",
            f"its {CHECK_PLACE}th place is no check digit that fits; not every maker outside North "
            "America writes one: compare the VIN with the vehicle's papers",
        )
    maker, make = maker_of(vin), stated.get("make")
    if maker is not None and make is not None and not _same(maker, make):
        yield _hint("/make", f"the VIN is one of {maker}")
    years, year = model_years_of(vin, latest_year), stated.get("year")
    if is_north_american(vin) and year is not None and years and not _near(year, years):
        told = " or ".join(map(str, years))
        yield _hint("/year", f"the VIN is of model year {told}")


def _same(maker: str, make: str) -> bool:
    """Whether these may be one: Mercedes is Mercedes-Benz, and VW nobody else's."""
    one, other = _letters(maker), _letters(make)
    return one in other or other in one or {one, other} == {"volkswagen", "vw"}


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold())).replace("ë", "e").replace("š", "s")


def _near(year: int, years: tuple[int, ...]) -> bool:
    """A year's model is sold from the year before on, and registered until the one after."""
    return any(abs(year - each) <= 1 for each in years)


def _hint(pointer: str, detail: str) -> dict[str, str]:
    return {"pointer": pointer, "detail": detail}
