"""The wallet: tokens that a person has been given and may spend; campus counts in them.

Tokens are no money. Half a token is the least that is given back, so the log counts in halves,
and everybody who asks or is told counts in tokens: see docs/adr/0053. Every entry has a reference to
what it is about. Within a wallet a reference names one credit and one debit for ever, so asking for
an entry twice is asking once; a refund has the reference of its debit.

The debit for an item's contact is the unlocking itself: whoever was debited may see who to call.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias, get_args
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.log.contexts import Context
from schemas.log.messages import Command, Event, Market
from schemas.registry import Upcasters
from schemas.values.numbers import DECIMAL

AMOUNT_MAX = 1_000_000  # tokens in one entry
# What everybody gets who joins a market, once; where nothing stands, nothing.
SIGNUP_TOKENS: Final[Mapping[str, int]] = {Market.CAMPUS: 2}

CONTACT_TOKENS: Final = Decimal(1)  # to see whom to call about an item
BACK_TOKENS: Final = Decimal("0.5")  # of those, when nothing comes of booking it
HALVES: Final = 2  # in a token

# As people count: 1.5.
Amount = Annotated[
    Decimal, Field(gt=0, le=AMOUNT_MAX, multiple_of=Decimal("0.5"), allow_inf_nan=False), DECIMAL
]
Halves = Annotated[int, Field(gt=0, le=HALVES * AMOUNT_MAX)]
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
    CONTACT = "contact"  # for whom to call about an item


class RefundReason(StrEnum):
    """Why tokens were given back."""

    CANCELLED = "cancelled"  # what they were taken for is not to be had
    BOOKING_ENDED = "booking_ended"  # nothing came of booking what they were taken for


def wallet_stream(user_id: UUID | str) -> str:
    """The stream of one person's wallet."""
    return f"wallet/{user_id}"


def contact_of(item_id: UUID | str) -> str:
    """The reference under which the contact for an item is unlocked."""
    return f"contact/{item_id}"


def halves_of(tokens: Decimal) -> int:
    """So many tokens as the log counts them."""
    return int(tokens * HALVES)


def tokens_of(halves: int) -> int | float:
    """So many halves as people count them: 2, or 1.5."""
    whole, half = divmod(halves, HALVES)
    return halves / HALVES if half else whole


class _WalletCommand(Command):
    user_id: UUID
    amount: Amount

    @property
    def stream_id(self) -> str:
        return wallet_stream(self.user_id)


class _EntryCommand(_WalletCommand):
    reference: Reference


class GrantTokens(_EntryCommand):
    """Give somebody tokens."""

    kind: Literal["wallet.grant"] = "wallet.grant"
    reason: CreditReason


class DebitTokens(_EntryCommand):
    """Take tokens that somebody has."""

    kind: Literal["wallet.debit"] = "wallet.debit"
    reason: DebitReason


class RefundTokens(_EntryCommand):
    """Give back what the debit of this reference took, or a part of it."""

    kind: Literal["wallet.refund"] = "wallet.refund"
    reason: RefundReason


class UnlockContact(_WalletCommand):
    """Spend one's own tokens on seeing whom to call about an item, once and for ever."""

    kind: Literal["wallet.unlock_contact"] = "wallet.unlock_contact"
    item_id: UUID
    seller_id: UUID


WalletCommand: TypeAlias = GrantTokens | DebitTokens | RefundTokens | UnlockContact


class _WalletEvent(Event):
    """An entry of so many half tokens."""

    SCHEMA: ClassVar[int] = 2

    user_id: UUID
    halves: Halves
    reference: Reference


class WalletCredited(_WalletEvent):
    """Somebody has more tokens by this much."""

    kind: Literal["wallet.credited"] = "wallet.credited"
    reason: CreditReason
    credited_at: AwareDatetime


class WalletDebited(_WalletEvent):
    """Somebody has fewer tokens by this much."""

    kind: Literal["wallet.debited"] = "wallet.debited"
    reason: DebitReason
    debited_at: AwareDatetime


class WalletRefunded(_WalletEvent):
    """Somebody has this much back of what the debit of the same reference took."""

    kind: Literal["wallet.refunded"] = "wallet.refunded"
    reason: RefundReason
    refunded_at: AwareDatetime


WalletEvent: TypeAlias = WalletCredited | WalletDebited | WalletRefunded


def _tokens_become_halves(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 stated `amount` in whole tokens; version 2 states `halves`."""
    rest = {name: value for name, value in data.items() if name != "amount"}
    return {**rest, "halves": HALVES * data["amount"]}


UPCASTERS: Upcasters = {
    (kind, 1): _tokens_become_halves
    for kind in ("wallet.credited", "wallet.debited", "wallet.refunded")
}

CONTEXT = Context("wallet", get_args(WalletCommand), get_args(WalletEvent), UPCASTERS)
