"""What may happen to a wallet, rule by rule."""

from __future__ import annotations

import pytest
from hypothesis import given

from producers.wallet import wallets
from schemas.log.messages import Role
from schemas.wallet import CreditReason, WalletCommand, WalletDebited, WalletRefunded
from tests.producers.spec import Spec
from tests.producers.tokens import (
    ID,
    JOINED,
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
            -each.amount if isinstance(each, WalletDebited) else each.amount for each in entries
        ]
        assert wallets.fold(entries).balance == sum(signed) >= 0


@given(commands)
def test_WA_01_whatever_is_asked_no_debit_gives_back_more_than_it_took(
    asked: list[WalletCommand],
) -> None:
    history = accepted(asked)
    taken = {each.reference: each.amount for each in history if isinstance(each, WalletDebited)}
    back = [each for each in history if isinstance(each, WalletRefunded)]
    assert len({each.reference for each in back}) == len(back)
    assert all(each.amount <= taken[each.reference] for each in back)
