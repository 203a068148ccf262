"""What may happen to a wallet: tokens come in, go out while there are any, and come back once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from producers.decider import Decider, Rejected
from schemas.log.messages import Role
from schemas.wallet import (
    CreditReason,
    DebitReason,
    DebitTokens,
    GrantTokens,
    RefundReason,
    RefundTokens,
    UnlockContact,
    WalletCommand,
    WalletCredited,
    WalletDebited,
    WalletEvent,
    WalletRefunded,
    contact_of,
    halves_of,
)

# Nobody moves their own tokens, but for spending them on what they are for.
MOVERS = frozenset({Role.SYSTEM, Role.ADMIN})


@dataclass(frozen=True)
class Credit:
    """Half tokens given."""

    halves: int
    reason: CreditReason


@dataclass(frozen=True)
class Debit:
    """Half tokens taken, and how many of them were given back; 0: it was never refunded."""

    halves: int
    reason: DebitReason
    refunded: int = 0


@dataclass(frozen=True)
class Wallet:
    """The half tokens that somebody has, and how they came to be, by reference."""

    balance: int = 0
    credits: Mapping[str, Credit] = field(default_factory=dict)
    debits: Mapping[str, Debit] = field(default_factory=dict)

    @property
    def signed_up(self) -> bool:
        """Whether they have been given what they get for joining."""
        return any(credit.reason is CreditReason.SIGNUP for credit in self.credits.values())


def decide(command: WalletCommand, wallet: Wallet) -> Sequence[WalletEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    match command:
        case UnlockContact():
            return unlock_contact(command, wallet)
        case GrantTokens() | DebitTokens() | RefundTokens():
            return _moved(command, wallet)
        case _:
            assert_never(command)


def _moved(
    command: GrantTokens | DebitTokens | RefundTokens, wallet: Wallet
) -> Sequence[WalletEvent]:
    if command.asked_role not in MOVERS:
        raise Rejected("role_not_allowed", 403)
    match command:
        case GrantTokens():
            return grant(command, wallet)
        case DebitTokens():
            return debit(command, wallet)
        case RefundTokens():
            return refund(command, wallet)
        case _:
            assert_never(command)


def grant(command: GrantTokens, wallet: Wallet) -> Sequence[WalletEvent]:
    """Once a reference, and for joining once ever, whatever the reference."""
    halves, known = halves_of(command.amount), wallet.credits.get(command.reference)
    if known == Credit(halves, command.reason):
        return []
    if command.reason is CreditReason.SIGNUP and wallet.signed_up:
        return []
    if known is not None:
        raise Rejected("credit_exists")
    return [
        WalletCredited(
            user_id=command.user_id,
            halves=halves,
            reason=command.reason,
            reference=command.reference,
            credited_at=command.asked_at,
        )
    ]


def debit(command: DebitTokens, wallet: Wallet) -> Sequence[WalletEvent]:
    """Once a reference, and never more than there is."""
    halves, known = halves_of(command.amount), wallet.debits.get(command.reference)
    # What was refunded differs as well: it is not paid for, and a repeat must not say it is.
    if known == Debit(halves, command.reason):
        return []
    if known is not None:
        raise Rejected("debit_exists")
    if halves > wallet.balance:
        raise Rejected("balance_too_low")
    return [
        WalletDebited(
            user_id=command.user_id,
            halves=halves,
            reason=command.reason,
            reference=command.reference,
            debited_at=command.asked_at,
        )
    ]


def refund(command: RefundTokens, wallet: Wallet) -> Sequence[WalletEvent]:
    """Once a debit, and never more than it took."""
    halves, known = halves_of(command.amount), wallet.debits.get(command.reference)
    if known is None and command.reason is RefundReason.BOOKING_ENDED:
        return []  # Whoever books need not have unlocked anything.
    if known is None:
        raise Rejected("debit_unknown", 404)
    if known.refunded == halves:
        return []
    if known.refunded:
        raise Rejected("debit_refunded")
    if halves > known.halves:
        raise Rejected("refund_too_high")
    return [
        WalletRefunded(
            user_id=command.user_id,
            halves=halves,
            reason=command.reason,
            reference=command.reference,
            refunded_at=command.asked_at,
        )
    ]


def unlock_contact(command: UnlockContact, wallet: Wallet) -> Sequence[WalletEvent]:
    """One's own tokens for somebody else's contact. Unlocked is unlocked, whatever came back."""
    if command.asked_by != str(command.user_id):
        raise Rejected("not_yours", 403)
    if command.user_id == command.seller_id:
        raise Rejected("own_item")
    reference, halves = contact_of(command.item_id), halves_of(command.amount)
    if reference in wallet.debits:
        return []
    if halves > wallet.balance:
        raise Rejected("tokens_missing", 402)
    return [
        WalletDebited(
            user_id=command.user_id,
            halves=halves,
            reason=DebitReason.CONTACT,
            reference=reference,
            debited_at=command.asked_at,
        )
    ]


def evolve(wallet: Wallet, event: WalletEvent) -> Wallet:
    """The wallet after the event."""
    match event:
        case WalletCredited(halves=halves, reason=credited_for, reference=reference):
            given = {**wallet.credits, reference: Credit(halves, credited_for)}
            return replace(wallet, balance=wallet.balance + halves, credits=given)
        case WalletDebited(halves=halves, reason=debited_for, reference=reference):
            taken = {**wallet.debits, reference: Debit(halves, debited_for)}
            return replace(wallet, balance=wallet.balance - halves, debits=taken)
        case WalletRefunded(halves=halves, reference=reference):
            return _refunded(wallet, halves, reference)
        case _:
            assert_never(event)


def _refunded(wallet: Wallet, halves: int, reference: str) -> Wallet:
    known = wallet.debits.get(reference)
    debits = wallet.debits
    if known is not None:
        debits = {**debits, reference: replace(known, refunded=halves)}
    return replace(wallet, balance=wallet.balance + halves, debits=debits)


wallets: Decider[WalletCommand, Wallet, WalletEvent] = Decider(
    initial=Wallet(), decide=decide, evolve=evolve
)
