"""Names of real cars, and the ways in which people write them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

NAMES: tuple[tuple[str, str], ...] = (
    ("Ford", "F-150"), ("Ford", "F150 Lariat"), ("Ford", "Mustang Mach-E"), ("Ford", "C-MAX"),
    ("Mazda", "MX-5"), ("Mazda", "MX5 Miata"), ("Mazda", "CX-5"), ("Mazda", "3"),
    ("Volkswagen", "ID.3"), ("Volkswagen", "ID. Buzz"), ("Volkswagen", "Golf GTI"),
    ("VW", "T-Roc"), ("VW", "e-up!"), ("BMW", "3 Series"), ("BMW", "3Series"), ("BMW", "320d"),
    ("BMW", "i3"), ("BMW", "X5 xDrive30d"), ("BMW", "M3 CSL 3.2"), ("BMW", "3.0 CSL"),
    ("Mercedes-Benz", "E 220 d"), ("Mercedes Benz", "C-Class"), ("MercedesBenz", "GLE 350 d 4MATIC"),
    ("Mercedes-AMG", "GT 63 S E Performance"), ("Land Rover", "Range Rover Sport"),
    ("Rolls-Royce", "Silver Shadow II"), ("Alfa Romeo", "Giulia"), ("Aston Martin", "DB11"),
    ("Honda", "CR-V"), ("Honda", "HR-V e:HEV"), ("Honda", "Civic Type R"), ("Nissan", "X-Trail"),
    ("Nissan", "370Z"), ("Nissan", "GT-R"), ("Suzuki", "SX4 S-Cross"), ("Kia", "cee'd"),
    ("Kia", "Pro_cee'd"), ("Kia", "EV6"), ("Lynk & Co", "01"), ("DS", "7 Crossback"),
    ("Saab", "9-3"), ("Saab", "900"), ("Porsche", "911"), ("Porsche", "718 Boxster"),
    ("Citroën", "C4"), ("Citroën", "ë-C4"), ("Škoda", "Octavia"), ("Škoda", "Enyaq iV"),
    ("Renault", "Mégane E-Tech"), ("Peugeot", "e-208"), ("Toyota", "C-HR"), ("Toyota", "GR86"),
    ("Toyota", "RAV4"), ("Hyundai", "i30 N"), ("Hyundai", "Ioniq 5"), ("Tesla", "Model 3"),
    ("Volvo", "V60 T8"), ("Jeep", "Grand Cherokee 4xe"), ("Chevrolet", "C10"), ("GMC", "K-1500"),
    ("Lada", "2107"), ("ВАЗ", "2107-20"), ("トヨタ", "プリウス"), ("ホンダ", "フィット"),
    ("ටොයොටා", "විට්ස්"), ("ශ්‍රී ලංකා", "ක්‍ෂණික"), ("டொயோட்டா", "கொரோலா"), ("Śmiały", "Łoś-2"),
)  # fmt: skip

_SIDES = re.compile(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")
_SIGNS = ("", "-", " ", ".", "\u2010")
_FORMS = ("NFC", "NFD", "NFKD")


def spellings(name: str) -> Iterator[str]:
    """The name with other signs, or none, between its parts, in capitals or without any, and in
    each form of Unicode.
    """
    parted = [part for part in re.split(r"[-. _'!&:]+", name) if part]
    sides = [part for word in parted for part in _SIDES.split(word)]
    written = {name, *(sign.join(parts) for parts in (parted, sides) for sign in _SIGNS)}
    for each in sorted(written):
        for cased in sorted({each, each.lower(), each.upper()}):
            yield from sorted({unicodedata.normalize(form, cased) for form in _FORMS})
    yield "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in name)
    yield name.replace("\u200d", "")
