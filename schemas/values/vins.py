"""What a vehicle identification number tells by itself (ISO 3779 and 3780): whether its check digit
fits, who built the vehicle, and of which model year it is. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

CHECK_PLACE: Final = 9  # counted from 1, as papers do
_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
# A is 1, B is 2 … H is 8, then J is 1 again, and S is 2; digits are themselves.
_VALUES: Final = {
    **{str(each): each for each in range(10)},
    **dict(zip("ABCDEFGH", range(1, 9), strict=True)),
    **dict(zip("JKLMN", range(1, 6), strict=True)),
    "P": 7,
    "R": 9,
    **dict(zip("STUVWXYZ", range(2, 10), strict=True)),
}
_REMAINDERS: Final = "0123456789X"

_YEARS: Final = "ABCDEFGHJKLMNPRSTVWXY123456789"  # A is 1980, and 30 years later again
_YEAR_FIRST: Final = 1980
_NEW_ZEALAND: Final = "ABCDE"  # of what begins with 7; the rest is the United States'

# The makers of most vehicles that are traded, by their WMI or its first two letters. Whose is not
# here is not known, which is no fault of the number.
_MAKERS: Final = {
    **dict.fromkeys(("WBA", "WBS", "WBY", "4US", "5UX", "5YM", "3MW"), "BMW"),
    **dict.fromkeys(
        ("WDB", "WDC", "WDD", "WDF", "W1K", "W1N", "W1V", "4JG", "55S"), "Mercedes-Benz"
    ),
    **dict.fromkeys(("WVW", "WV1", "WV2", "WVG", "1VW", "3VW", "9BW"), "Volkswagen"),
    **dict.fromkeys(("WAU", "WA1", "WUA"), "Audi"),
    **dict.fromkeys(("WP0", "WP1"), "Porsche"),
    **dict.fromkeys(("W0L", "W0V", "VXK"), "Opel"),
    **dict.fromkeys(("WF0", "1FA", "1FB", "1FC", "1FD", "1FM", "1FT", "2FM", "3FA", "MAJ"), "Ford"),
    **dict.fromkeys(("1G1", "1GC", "1GN", "2G1", "3G1", "KL1"), "Chevrolet"),
    **dict.fromkeys(("1C4", "1J4", "1J8", "ZAC"), "Jeep"),
    **dict.fromkeys(("5YJ", "7SA", "LRW", "XP7"), "Tesla"),
    **dict.fromkeys(("JHM", "JHL", "1HG", "2HG", "5FN", "5J6", "SHH"), "Honda"),
    **dict.fromkeys(("JT", "2T", "4T", "5T", "SB1", "VNK", "MBJ", "AHT"), "Toyota"),
    **dict.fromkeys(("JTH", "JTJ", "2T2", "58A"), "Lexus"),
    **dict.fromkeys(("JN", "1N4", "1N6", "3N1", "5N1", "SJN", "VSK", "MDH"), "Nissan"),
    **dict.fromkeys(("JM", "1YV", "3MZ"), "Mazda"),
    **dict.fromkeys(("JA3", "JA4", "JMB", "JMY", "4A3", "MMB"), "Mitsubishi"),
    **dict.fromkeys(("JF1", "JF2", "4S3", "4S4"), "Subaru"),
    **dict.fromkeys(("JS", "MA3", "TSM", "MBH"), "Suzuki"),
    **dict.fromkeys(("KMH", "KM8", "5NP", "5NM", "NLH", "TMA", "MAL"), "Hyundai"),
    **dict.fromkeys(("KNA", "KND", "KNE", "5XY", "5XX", "U5Y", "MZB"), "Kia"),
    **dict.fromkeys(("VF1", "VF2", "VF6", "MEE"), "Renault"),
    **dict.fromkeys(("VF3",), "Peugeot"),
    **dict.fromkeys(("VF7",), "Citroën"),
    **dict.fromkeys(("UU1",), "Dacia"),
    **dict.fromkeys(("ZFA", "3C3"), "Fiat"),
    **dict.fromkeys(("ZAR",), "Alfa Romeo"),
    **dict.fromkeys(("ZFF",), "Ferrari"),
    **dict.fromkeys(("ZHW", "ZPB"), "Lamborghini"),
    **dict.fromkeys(("ZAM",), "Maserati"),
    **dict.fromkeys(("TMB",), "Skoda"),
    **dict.fromkeys(("VSS",), "Seat"),
    **dict.fromkeys(("YV1", "YV4", "LYV", "7JR"), "Volvo"),
    **dict.fromkeys(("SAL",), "Land Rover"),
    **dict.fromkeys(("SAJ", "SAD"), "Jaguar"),
    **dict.fromkeys(("SCC",), "Lotus"),
    **dict.fromkeys(("SCF",), "Aston Martin"),
    **dict.fromkeys(("SCB",), "Bentley"),
    **dict.fromkeys(("SCA",), "Rolls-Royce"),
    **dict.fromkeys(("SBM",), "McLaren"),
    **dict.fromkeys(("WMW",), "MINI"),
    **dict.fromkeys(("WME", "HES"), "Smart"),
    **dict.fromkeys(("MAT",), "Tata"),
    **dict.fromkeys(("MA1",), "Mahindra"),
}


def check_digit_fits(vin: str) -> bool:
    """Whether the ninth character is what all the others make it."""
    total = sum(_VALUES[each] * weight for each, weight in zip(vin, _WEIGHTS, strict=True))
    return vin[CHECK_PLACE - 1] == _REMAINDERS[total % 11]


def is_north_american(vin: str) -> bool:
    """Whether it was given in North America, where the check digit must fit (49 CFR 565.15)."""
    return vin[0] in "12345" or (vin[0] == "7" and vin[1] not in _NEW_ZEALAND)


def maker_of(vin: str) -> str | None:
    """Who built it, by its WMI; None: not known here."""
    return _MAKERS.get(vin[:3]) or _MAKERS.get(vin[:2])


def model_years_of(vin: str, latest: int) -> tuple[int, ...]:
    """The model years up to `latest` that its tenth character may mean. A maker outside North America
    need not mean a year by it.
    """
    return tuple(year for year in _years(vin) if year <= latest)


def _years(vin: str) -> Iterator[int]:
    place = _YEARS.find(vin[9])
    if place < 0:
        return
    first = _YEAR_FIRST + place
    # There the seventh character says in which round of 30 years it was built.
    if not is_north_american(vin) or vin[6].isdigit():
        yield first
    if not is_north_american(vin) or vin[6].isalpha():
        yield first + len(_YEARS)
