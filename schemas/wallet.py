"""The wallet: tokens that a person has been given and may spend; campus counts in them.

Tokens are whole and no money. Every entry has a reference to what it is about, a stream. Within
a wallet a reference names one credit and one debit for ever, so asking for an entry twice is
asking once; a refund has the reference of its debit.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias, get_args
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.log.contexts import Context
from schemas.log.messages import Command, Event, Market

AMOUNT_MAX = 1_000_000  # tokens in one entry
# What everybody gets who joins a market, once; where nothing stands, nothing.
SIGNUP_TOKENS: Final[Mapping[str, int]] = {Market.CAMPUS: 2}

Amount = Annotated[int, Field(gt=0, le=AMOUNT_MAX)]
Reference = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z_]{0,39}/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
]


class CreditReason(StrEnum):
    """Why somebody was given tokens."""

    SIGNUP = "signup"  # for having joined
    GOODWILL = "goodwill"  # by whoever runs the place


class DebitReason(StrEnum):
    """Why tokens were taken."""

    CORRECTION = "correction"  # of what was given by mistake


class RefundReason(StrEnum):
    """Why tokens were given back."""

    CANCELLED = "cancelled"  # what they were taken for is not to be had


def wallet_stream(user_id: UUID | str) -> str:
    """The stream of one person's wallet."""
    return f"wallet/{user_id}"


class _WalletCommand(Command):
    user_id: UUID
    amount: Amount
    reference: Reference

    @property
    def stream_id(self) -> str:
        return wallet_stream(self.user_id)


class GrantTokens(_WalletCommand):
    """Give somebody tokens."""

    kind: Literal["wallet.grant"] = "wallet.grant"
    reason: CreditReason


class DebitTokens(_WalletCommand):
    """Take tokens that somebody has."""

    kind: Literal["wallet.debit"] = "wallet.debit"
    reason: DebitReason


class RefundTokens(_WalletCommand):
    """Give back what the debit of this reference took, or a part of it."""

    kind: Literal["wallet.refund"] = "wallet.refund"
    reason: RefundReason


WalletCommand: TypeAlias = GrantTokens | DebitTokens | RefundTokens


class WalletCredited(Event):
    """Somebody has more tokens by this amount."""

    kind: Literal["wallet.credited"] = "wallet.credited"
    user_id: UUID
    amount: Amount
    reason: CreditReason
    reference: Reference
    credited_at: AwareDatetime


class WalletDebited(Event):
    """Somebody has fewer tokens by this amount."""

    kind: Literal["wallet.debited"] = "wallet.debited"
    user_id: UUID
    amount: Amount
    reason: DebitReason
    reference: Reference
    debited_at: AwareDatetime


class WalletRefunded(Event):
    """Somebody has this amount back of what the debit of the same reference took."""

    kind: Literal["wallet.refunded"] = "wallet.refunded"
    user_id: UUID
    amount: Amount
    reason: RefundReason
    reference: Reference
    refunded_at: AwareDatetime


WalletEvent: TypeAlias = WalletCredited | WalletDebited | WalletRefunded

CONTEXT = Context("wallet", get_args(WalletCommand), get_args(WalletEvent))
