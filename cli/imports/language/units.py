"""What may stand beside a number: the spellings of units, and the signs of currencies.

Only what can be nothing else is here. Anything more a mapping declares for itself.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

KM_PER_MILE: Final = Decimal("1.609344")  # by definition
KW_PER: Final = {
    "kw": Decimal(1),
    "ps": Decimal("0.73549875"),  # metric horse-power, by definition
    "hp": Decimal("0.74569987"),  # mechanical horse-power
}

# A unit as mappings name it → how cells may spell it, case aside.
SPELLINGS: Final[dict[str, frozenset[str]]] = {
    "km": frozenset(
        {"km", "km.", "kms", "kilometer", "kilometers", "kilometre", "kilometres"},
    ),
    "mi": frozenset({"mi", "mi.", "mile", "miles"}),
    "kw": frozenset({"kw"}),
    "ps": frozenset({"ps"}),
    "hp": frozenset({"hp", "bhp"}),
    "cc": frozenset({"cc", "ccm", "cm³"}),
    "l": frozenset({"l", "l.", "ltr", "liter", "liters", "litre", "litres"}),
}

# Horse-powers of two kinds, 1.4 % apart, for which people write one and the other.
_HORSES: Final = frozenset({"ps", "hp"})

_RUPEES = "INR LKR PKR NPR MUR SCR"
_DOLLARS = (
    "USD AUD CAD NZD SGD HKD TWD MXN ARS CLP COP UYU JMD TTD BBD BSD BZD BMD KYD XCD FJD SBD LRD "
    "NAD GYD SRD BND"
)

# A sign, case aside → the currencies that people write so.
_SIGNS: Final[dict[str, frozenset[str]]] = {
    sign: frozenset(currencies.split())
    for signs, currencies in (
        ("€ euro euros", "EUR"),
        ("$", _DOLLARS),
        ("us$ $us", "USD"),
        ("a$ au$", "AUD"),
        ("c$ ca$", "CAD"),
        ("nz$", "NZD"),
        ("s$", "SGD"),
        ("hk$", "HKD"),
        ("r$", "BRL"),
        ("£", "GBP EGP SYP LBP SDG GIP FKP SHP"),
        ("¥ ￥", "JPY CNY"),
        ("円", "JPY"),
        ("元", "CNY"),
        ("₹", "INR"),
        ("₨ rs rs.", _RUPEES),
        ("රු රු.", "LKR"),
        ("ரூ ரூ.", "LKR INR"),
        ("kr kr.", "SEK NOK DKK ISK"),
        ("zł zl", "PLN"),
        ("kč", "CZK"),
        ("fr fr. sfr sfr.", "CHF"),
        ("₽ \u0440\u0443\u0431 \u0440\u0443\u0431.", "RUB"),
        ("₴", "UAH"),
        ("₺", "TRY"),
        ("₩", "KRW"),
        ("₫", "VND"),
        ("฿", "THB"),
        ("₪", "ILS"),
        ("₦", "NGN"),
        ("₱", "PHP"),
        ("₵", "GHS"),
        ("৳", "BDT"),
        ("rm", "MYR"),
        ("rp rp.", "IDR"),
    )
    for sign in signs.split()
}


def unit_of(word: str) -> str | None:
    """The unit that a word spells, as mappings name it."""
    spelt = word.strip().casefold()
    return next((unit for unit, words in SPELLINGS.items() if spelt in words), None)


def same_as(unit: str) -> frozenset[str]:
    """The units that a word for this one may mean."""
    return _HORSES if unit in _HORSES else frozenset({unit})


def is_sign_of(word: str, currency: str) -> bool:
    """Whether this word, in small letters, may stand beside an amount of that currency."""
    return word == currency.casefold() or currency in _SIGNS.get(word, ())
