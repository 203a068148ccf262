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
    RefundTokens,
    WalletCommand,
    WalletCredited,
    WalletDebited,
    WalletEvent,
    WalletRefunded,
)

# Nobody moves their own tokens: what is bought with them asks for the debit.
MOVERS = frozenset({Role.SYSTEM, Role.ADMIN})


@dataclass(frozen=True)
class Credit:
    """Tokens given."""

    amount: int
    reason: CreditReason


@dataclass(frozen=True)
class Debit:
    """Tokens taken, and how many of them were given back; 0: it was never refunded."""

    amount: int
    reason: DebitReason
    refunded: int = 0


@dataclass(frozen=True)
class Wallet:
    """What somebody has, and how it came to be, by reference."""

    balance: int = 0
    credits: Mapping[str, Credit] = field(default_factory=dict)
    debits: Mapping[str, Debit] = field(default_factory=dict)

    @property
    def signed_up(self) -> bool:
        """Whether they have been given what they get for joining."""
        return any(credit.reason is CreditReason.SIGNUP for credit in self.credits.values())


def decide(command: WalletCommand, wallet: Wallet) -> Sequence[WalletEvent]:
    """The events that the command leads to; none when it asks for what already is."""
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
    known = wallet.credits.get(command.reference)
    if known == Credit(command.amount, command.reason):
        return []
    if command.reason is CreditReason.SIGNUP and wallet.signed_up:
        return []
    if known is not None:
        raise Rejected("credit_exists")
    return [
        WalletCredited(
            user_id=command.user_id,
            amount=command.amount,
            reason=command.reason,
            reference=command.reference,
            credited_at=command.asked_at,
        )
    ]


def debit(command: DebitTokens, wallet: Wallet) -> Sequence[WalletEvent]:
    """Once a reference, and never more than there is."""
    known = wallet.debits.get(command.reference)
    # What was refunded differs as well: it is not paid for, and a repeat must not say it is.
    if known == Debit(command.amount, command.reason):
        return []
    if known is not None:
        raise Rejected("debit_exists")
    if command.amount > wallet.balance:
        raise Rejected("balance_too_low")
    return [
        WalletDebited(
            user_id=command.user_id,
            amount=command.amount,
            reason=command.reason,
            reference=command.reference,
            debited_at=command.asked_at,
        )
    ]


def refund(command: RefundTokens, wallet: Wallet) -> Sequence[WalletEvent]:
    """Once a debit, and never more than it took."""
    known = wallet.debits.get(command.reference)
    if known is None:
        raise Rejected("debit_unknown", 404)
    if known.refunded == command.amount:
        return []
    if known.refunded:
        raise Rejected("debit_refunded")
    if command.amount > known.amount:
        raise Rejected("refund_too_high")
    return [
        WalletRefunded(
            user_id=command.user_id,
            amount=command.amount,
            reason=command.reason,
            reference=command.reference,
            refunded_at=command.asked_at,
        )
    ]


def evolve(wallet: Wallet, event: WalletEvent) -> Wallet:
    """The wallet after the event."""
    match event:
        case WalletCredited(amount=amount, reason=credited_for, reference=reference):
            given = {**wallet.credits, reference: Credit(amount, credited_for)}
            return replace(wallet, balance=wallet.balance + amount, credits=given)
        case WalletDebited(amount=amount, reason=debited_for, reference=reference):
            taken = {**wallet.debits, reference: Debit(amount, debited_for)}
            return replace(wallet, balance=wallet.balance - amount, debits=taken)
        case WalletRefunded(amount=amount, reference=reference):
            return _refunded(wallet, amount, reference)
        case _:
            assert_never(event)


def _refunded(wallet: Wallet, amount: int, reference: str) -> Wallet:
    known = wallet.debits.get(reference)
    debits = wallet.debits
    if known is not None:
        debits = {**debits, reference: replace(known, refunded=amount)}
    return replace(wallet, balance=wallet.balance + amount, debits=debits)


wallets: Decider[WalletCommand, Wallet, WalletEvent] = Decider(
    initial=Wallet(), decide=decide, evolve=evolve
)
