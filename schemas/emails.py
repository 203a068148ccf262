"""E-mail addresses: mail goes to what was typed, and look-ups take upper case for lower.

Two mailboxes are two people: `stra\u00dfe@` and `strasse@` differ, and so do a final sigma and
another one, which Unicode's case folding takes for the same (docs/adr/0017).
"""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email


def address_of(text: str) -> str:
    """The address that mail goes to: the name as typed, the domain in its one form. Raises
    ValueError, whose text does not quote the address.
    """
    try:
        return validate_email(text, check_deliverability=False).normalized
    except (EmailNotValidError, UnicodeError):
        message = "is no e-mail address: write it like name@example.org"
        raise ValueError(message) from None


def lookup_form(address: str) -> str:
    """What an address is found and claimed by."""
    return address.lower()


def earlier_form(address: str) -> str | None:
    """What it was found, claimed and mailed by before it was kept as typed; None where that was
    the same.
    """
    folded = address.casefold()
    return None if folded == lookup_form(address) else folded
