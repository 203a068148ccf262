"""What may happen to a wallet, rule by rule."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from pydantic import ValidationError

from producers.wallet import wallets
from schemas.log.messages import Role
from schemas.topics import EVENT_TYPES
from schemas.wallet import (
    CONTACT_TOKENS,
    CreditReason,
    DebitReason,
    RefundReason,
    UnlockContact,
    WalletCommand,
    WalletDebited,
    WalletRefunded,
    contact_of,
)
from tests.producers.spec import Spec
from tests.producers.tokens import (
    ID,
    JOINED,
    NOW,
    accepted,
    commands,
    credited,
    debit,
    debited,
    grant,
    item,
    refund,
    refunded,
)

spec = Spec(wallets)


def test_WA_01_tokens_come_in_go_out_and_come_back() -> None:
    spec.given().when(grant(3)).then(credited(3))
    spec.given(credited(3)).when(debit(3)).then(debited(3))
    spec.given(credited(3), debited(3)).when(refund(2)).then(refunded(2))


@pytest.mark.parametrize("command", [grant(1), debit(1), refund(1)], ids=lambda each: each.kind)
@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.SYSTEM, Role.ADMIN)])
def test_WA_01_nobody_moves_their_own_tokens(command: WalletCommand, role: Role) -> None:
    asked = command.model_copy(update={"asked_by": str(ID), "asked_role": role})
    spec.given(credited(3), debited(1)).when(asked).refused("role_not_allowed", 403)


def test_WA_01_an_admin_moves_tokens() -> None:
    spec.given().when(grant(3, asked_role=Role.ADMIN)).then(credited(3))


def test_WA_01_more_than_there_is_is_not_taken() -> None:
    spec.given().when(debit(1)).refused("balance_too_low")
    spec.given(credited(2)).when(debit(3)).refused("balance_too_low")
    spec.given(credited(2), debited(2)).when(debit(1, item(2))).refused("balance_too_low")


def test_WA_01_what_came_back_can_be_spent_again() -> None:
    spec.given(credited(2), debited(2), refunded(1)).when(debit(1, item(2))).then(
        debited(1, item(2))
    )


def test_WA_01_the_same_debit_again_costs_nothing() -> None:
    spec.given(credited(2), debited(2)).when(debit(2)).then()


def test_WA_01_a_reference_is_one_debit_for_ever() -> None:
    spec.given(credited(5), debited(2)).when(debit(3)).refused("debit_exists")
    spec.given(credited(5), debited(2), refunded(2)).when(debit(2)).refused("debit_exists")


def test_WA_01_a_refund_is_never_more_than_its_debit() -> None:
    history = (credited(9), debited(2), debited(5, item(2)))
    spec.given(*history).when(refund(3)).refused("refund_too_high")
    spec.given(*history).when(refund(5, item(2))).then(refunded(5, item(2)))


def test_WA_01_a_debit_is_refunded_once() -> None:
    history = (credited(5), debited(3), refunded(1))
    spec.given(*history).when(refund(2)).refused("debit_refunded")
    spec.given(*history).when(refund(1)).then()


def test_WA_01_what_was_never_taken_is_not_refunded() -> None:
    spec.given(credited(5)).when(refund(1)).refused("debit_unknown", 404)


def test_WA_01_a_reference_is_one_credit_for_ever() -> None:
    spec.given(credited(2)).when(grant(2)).then()
    spec.given(credited(2)).when(grant(3)).refused("credit_exists")


def test_WA_02_joining_is_rewarded_once_whatever_the_reference() -> None:
    signup = {"reason": CreditReason.SIGNUP}
    once = credited(2, JOINED, CreditReason.SIGNUP)
    spec.given().when(grant(2, JOINED, **signup)).then(once)
    spec.given(once).when(grant(2, JOINED, **signup)).then()
    spec.given(once).when(grant(5, item(7), **signup)).then()
    spec.given(credited(5)).when(grant(2, JOINED, **signup)).then(once)


@given(commands)
def test_WA_01_whatever_is_asked_the_balance_is_the_sum_of_the_entries_and_never_below_zero(
    asked: list[WalletCommand],
) -> None:
    history = accepted(asked)
    for end in range(len(history) + 1):
        entries = history[:end]
        signed = [
            -each.halves if isinstance(each, WalletDebited) else each.halves for each in entries
        ]
        assert wallets.fold(entries).balance == sum(signed) >= 0


@given(commands)
def test_WA_01_whatever_is_asked_no_debit_gives_back_more_than_it_took(
    asked: list[WalletCommand],
) -> None:
    history = accepted(asked)
    taken = {each.reference: each.halves for each in history if isinstance(each, WalletDebited)}
    back = [each for each in history if isinstance(each, WalletRefunded)]
    assert len({each.reference for each in back}) == len(back)
    assert all(each.halves <= taken[each.reference] for each in back)


def unlock(**more: Any) -> UnlockContact:
    asked = {"asked_at": NOW, "asked_by": str(ID), "asked_role": Role.BUYER}
    about = {"item_id": UUID(int=1), "seller_id": UUID(int=9), "amount": CONTACT_TOKENS}
    return UnlockContact(user_id=ID, **{**asked, **about, **more})


CONTACT = contact_of(UUID(int=1))
unlocked = debited(1, CONTACT, DebitReason.CONTACT)
half_back = refunded(0.5, CONTACT, RefundReason.BOOKING_ENDED)


def test_WA_03_a_token_unlocks_whom_to_call_once() -> None:
    spec.given(credited(2)).when(unlock()).then(unlocked)
    spec.given(credited(2), unlocked).when(unlock()).then()
    other = unlock(item_id=UUID(int=2))
    spec.given(credited(2), unlocked).when(other).then(
        debited(1, contact_of(UUID(int=2)), DebitReason.CONTACT)
    )


def test_WA_03_without_a_whole_token_nothing_is_unlocked() -> None:
    spec.given().when(unlock()).refused("tokens_missing", 402)
    spec.given(credited(0.5)).when(unlock()).refused("tokens_missing", 402)


def test_WA_03_what_came_back_locks_nothing() -> None:
    spec.given(credited(2), unlocked, half_back).when(unlock()).then()


def test_WA_03_nobody_spends_for_others_or_on_themselves() -> None:
    for role in (Role.SYSTEM, Role.ADMIN, Role.BUYER):
        asked = unlock(asked_by=str(UUID(int=7)), asked_role=role)
        spec.given(credited(2)).when(asked).refused("not_yours", 403)
    spec.given(credited(2)).when(unlock(seller_id=ID)).refused("own_item")


def test_WA_03_half_a_token_comes_back_once_and_only_of_what_was_spent() -> None:
    back = refund(0.5, CONTACT, reason=RefundReason.BOOKING_ENDED)
    spec.given(credited(2), unlocked).when(back).then(half_back)
    spec.given(credited(2), unlocked, half_back).when(back).then()
    spec.given(credited(2)).when(back).then()


@pytest.mark.parametrize("amount", ["0.25", "0", "1.75", "NaN", "Infinity", "-1"])
def test_WA_03_nothing_smaller_than_half_a_token_is_moved(amount: str) -> None:
    with pytest.raises(ValidationError):
        refund(1).model_validate({**refund(1).model_dump(), "amount": amount})


def test_WA_03_entries_from_before_there_were_halves_are_whole_tokens() -> None:
    stored = WalletDebited(
        user_id=ID, halves=1, reason=DebitReason.CORRECTION, reference=item(1), debited_at=NOW
    ).model_dump(mode="json", exclude={"halves"})
    data = json.dumps({**stored, "amount": 3}).encode()
    found = EVENT_TYPES.decode("wallet.debited", 1, data)
    assert found == debited(3)
