"""E-mail addresses: mail goes to what was typed, and look-ups take upper case for lower.

Two mailboxes are two people: `stra\u00dfe@` and `strasse@` differ, and so do a final sigma and
another one, which Unicode's case folding takes for the same (docs/adr/0017).
"""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

from schemas.values.texts import hidden_in, shows

NAME_BYTES_MAX = 64  # what servers take before the @ (RFC 5321, 4.5.3.1.1)
_NONE = "is no e-mail address: write it like name@example.org"


def address_of(text: str) -> str:
    """The address that mail goes to: the name as typed, the domain in its one form. Raises
    ValueError, whose text does not quote the address.
    """
    try:
        found = validate_email(text, check_deliverability=False)
    except (EmailNotValidError, UnicodeError):
        raise ValueError(_NONE) from None
    name = found.local_part
    if hidden_in(name) or not shows(name) or len(name.encode()) > NAME_BYTES_MAX:
        raise ValueError(_NONE)
    return found.normalized


def lookup_form(address: str) -> str:
    """What an address is found and claimed by."""
    return address.lower()


def earlier_form(address: str) -> str | None:
    """What it was found, claimed and mailed by before it was kept as typed; None where that was
    the same.
    """
    folded = address.casefold()
    return None if folded == lookup_form(address) else folded
