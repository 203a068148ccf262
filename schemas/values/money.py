"""Money: an amount in the currency's smallest unit and the currency's ISO 4217 code."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

# ISO 4217, table A.1 as of 2026-01-01: what is money today and has a smallest unit. Not in it:
# metals, units of account and the codes for tests and for no currency, nor what has been replaced
# (HRK, BGN and the other currencies before the euro, ANG, SLL, ZWL …).
CURRENCIES: Final = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN
    BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR
    FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY
    KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU
    MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON
    RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP
    TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER
    ZAR ZMW ZWG
    """.split()  # noqa: SIM905 - a table for people
)

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


def digits_of(currency: str) -> int:
    """Digits behind the mark of a price: as many as ISO 4217 gives the currency."""
    return _DIGITS.get(currency, _DIGITS_DEFAULT)


def major_units(amount_minor: int, currency: str) -> Decimal:
    """`(850000, "USD")` → 8500.00: the amount as people write it."""
    return Decimal(amount_minor).scaleb(-digits_of(currency))


def minor_units(amount: Decimal, currency: str) -> int:
    """`(Decimal("8500"), "USD")` → 850000; ValueError when the amount is finer than that."""
    scaled = amount.scaleb(digits_of(currency))
    if scaled != scaled.to_integral_value():
        message = f"{currency} has no such small unit"
        raise ValueError(message)
    return int(scaled)
