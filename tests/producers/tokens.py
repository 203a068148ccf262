"""Tokens for tests: what is asked of one person's wallet and what happens to it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from producers.decider import Rejected
from producers.wallet import wallets
from schemas.log.messages import Role
from schemas.wallet import (
    CreditReason,
    DebitReason,
    DebitTokens,
    GrantTokens,
    RefundReason,
    RefundTokens,
    WalletCommand,
    WalletCredited,
    WalletDebited,
    WalletEvent,
    WalletRefunded,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = UUID(int=1)
SYSTEM = {"asked_at": NOW, "asked_by": "reaction/test", "asked_role": Role.SYSTEM}
JOINED = f"user/{ID}"


def item(number: int) -> str:
    return f"item/{UUID(int=number)}"


def grant(amount: float, reference: str = item(1), **more: Any) -> GrantTokens:
    fields = {"reason": CreditReason.GOODWILL, **SYSTEM, **more}
    return GrantTokens(user_id=ID, amount=amount, reference=reference, **fields)


def debit(amount: float, reference: str = item(1), **more: Any) -> DebitTokens:
    fields = {"reason": DebitReason.CORRECTION, **SYSTEM, **more}
    return DebitTokens(user_id=ID, amount=amount, reference=reference, **fields)


def refund(amount: float, reference: str = item(1), **more: Any) -> RefundTokens:
    fields = {"reason": RefundReason.CANCELLED, **SYSTEM, **more}
    return RefundTokens(user_id=ID, amount=amount, reference=reference, **fields)


def credited(
    tokens: float, reference: str = item(1), reason: CreditReason = CreditReason.GOODWILL
) -> WalletCredited:
    return WalletCredited(
        user_id=ID, halves=int(2 * tokens), reason=reason, reference=reference, credited_at=NOW
    )


def debited(
    tokens: float, reference: str = item(1), reason: DebitReason = DebitReason.CORRECTION
) -> WalletDebited:
    return WalletDebited(
        user_id=ID, halves=int(2 * tokens), reason=reason, reference=reference, debited_at=NOW
    )


def refunded(
    tokens: float, reference: str = item(1), reason: RefundReason = RefundReason.CANCELLED
) -> WalletRefunded:
    return WalletRefunded(
        user_id=ID, halves=int(2 * tokens), reason=reason, reference=reference, refunded_at=NOW
    )


amounts = st.integers(1, 10).map(lambda halves: halves / 2)
references = st.integers(1, 4).map(item)
commands = st.lists(
    st.one_of(
        st.builds(grant, amounts, references),
        st.builds(debit, amounts, references),
        st.builds(refund, amounts, references),
    ),
    max_size=30,
)


def accepted(asked: Iterable[WalletCommand]) -> list[WalletEvent]:
    """Everything that happens when these are asked for one after another."""
    history: list[WalletEvent] = []
    for command in asked:
        try:
            history += wallets.decide(command, wallets.fold(history))
        except Rejected:
            continue
    return history
