"""Money: an amount in the currency's smallest unit and the currency's ISO 4217 code."""

from __future__ import annotations

from decimal import Decimal

_DIGITS_DEFAULT = 2
_DIGITS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}  # ISO 4217, table A.1, where it is not two


def major_units(amount_minor: int, currency: str) -> Decimal:
    """`(850000, "USD")` → 8500.00: the amount as people write it."""
    return Decimal(amount_minor).scaleb(-_DIGITS.get(currency, _DIGITS_DEFAULT))


def minor_units(amount: Decimal, currency: str) -> int:
    """`(Decimal("8500"), "USD")` → 850000; ValueError when the amount is finer than that."""
    scaled = amount.scaleb(_DIGITS.get(currency, _DIGITS_DEFAULT))
    if scaled != scaled.to_integral_value():
        message = f"{currency} has no such small unit"
        raise ValueError(message)
    return int(scaled)
