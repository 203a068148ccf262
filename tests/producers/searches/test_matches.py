"""What may happen to what an alert has found, rule by rule."""

from __future__ import annotations

from uuid import UUID

import pytest

from producers.searches.matches import matches
from schemas.log.messages import Role
from schemas.searches import MatchReason
from tests.producers.searches.looking import (
    delete_match,
    mark,
    match,
    match_deleted,
    matched,
    notified,
)
from tests.producers.spec import Spec

spec = Spec(matches)
NEW, DROP, BACK = MatchReason.NEW, MatchReason.PRICE_DROP, MatchReason.BACK_ON_MARKET


@pytest.mark.parametrize("reason", MatchReason)
def test_SE_11_each_reason_is_found_once(reason) -> None:
    spec.when(match(reason)).then(matched(reason))
    spec.given(matched(reason)).when(match(reason)).then()
    spec.given(matched(reason), notified(1)).when(match(reason, caused_by="another")).then()


def test_SE_11_other_reasons_are_found_beside_it() -> None:
    spec.given(matched(NEW)).when(match(BACK)).then(matched(BACK))
    spec.given(matched(NEW), matched(BACK)).when(match(DROP)).then(matched(DROP))


def test_SE_11_a_price_drops_again_when_it_is_lower_than_it_was_told() -> None:
    given = spec.given(matched(NEW, 1_000), matched(DROP, 900))
    given.when(match(DROP, 899)).then(matched(DROP, 899))
    given.when(match(DROP, 900)).then()
    given.when(match(DROP, 950)).then()
    given.when(match(DROP, 950, "LKR")).then(matched(DROP, 950, "LKR"))
    given.given(matched(DROP, 950, "LKR")).when(match(DROP, 900)).then()


def test_SE_15_what_was_told_is_noted_once_and_not_beyond_what_there_is() -> None:
    spec.given(matched()).when(mark(1)).then(notified(1))
    spec.given(matched(), notified(1)).when(mark(1)).then()
    spec.given(matched(), notified(1), matched(BACK)).when(mark(3)).then(notified(3))
    spec.given(matched()).when(mark(2)).refused("match_unknown", 404)


@pytest.mark.parametrize(
    "command",
    [
        match(asked_role=Role.ADMIN),
        mark(1, asked_role=Role.BUYER),
        delete_match(asked_role=Role.ADMIN),
    ],
)
def test_no_person_may_ask(command) -> None:
    spec.given(matched()).when(command).refused("role_not_allowed", 403)


def test_a_match_is_of_its_alert_and_listing() -> None:
    spec.when(match(listing_id=UUID(int=5))).refused("match_unknown", 404)


def test_SE_10_what_is_gone_is_gone_once_and_neither_found_nor_told_again() -> None:
    spec.when(delete_match()).then()
    spec.given(matched()).when(delete_match()).then(match_deleted())
    gone = spec.given(matched(), match_deleted())
    gone.when(delete_match()).then()
    gone.when(match(BACK)).then()
    gone.when(mark(1)).then()
