"""What may happen to somebody's comparison, rule by rule."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given

from producers.comparisons import comparisons
from schemas.comparisons import (
    COMPARED_MAX,
    AddToComparison,
    ClearComparison,
    ComparisonCommand,
    ComparisonShared,
    RemoveFromComparison,
)
from schemas.log.messages import Role
from schemas.sharing import LASTS_MAX, LASTS_MIN, SHARES_MAX
from tests.producers.comparing import (
    DAY,
    NOW,
    accepted,
    add,
    added,
    clear,
    cleared,
    commands,
    remove,
    removed,
    share,
    shared,
    unshare,
    unshared,
)
from tests.producers.spec import Spec

spec = Spec(comparisons)
FULL = [added(number) for number in range(COMPARED_MAX)]
OPEN = [added(1), *(shared(number) for number in range(SHARES_MAX))]


def test_CO_01_a_listing_is_compared_once() -> None:
    spec.given().when(add()).then(added())
    spec.given(added()).when(add()).then()
    spec.given(added(), removed()).when(add()).then(added())


def test_CO_01_four_are_compared_and_no_more() -> None:
    assert COMPARED_MAX == 4
    spec.given(*FULL[1:]).when(add(0)).then(added(0))
    spec.given(*FULL).when(add(COMPARED_MAX)).refused("comparison_full")
    spec.given(*FULL).when(add(0)).then()
    spec.given(*FULL, removed(2)).when(add(COMPARED_MAX)).then(added(COMPARED_MAX))


def test_CO_02_what_is_taken_out_is_taken_out_once() -> None:
    spec.given(added()).when(remove()).then(removed())
    spec.given(added(), removed()).when(remove()).then()
    spec.given().when(remove()).then()


def test_CO_05_all_are_cleared_in_one_event() -> None:
    spec.given(added(2), added(1)).when(clear()).then(cleared())
    spec.given(added(), cleared()).when(clear()).then()
    spec.given().when(clear()).then()
    spec.given(*FULL, cleared()).when(add()).then(added())


@pytest.mark.parametrize(
    "command", [add(), remove(), clear(), share(), unshare()], ids=lambda each: each.kind
)
@pytest.mark.parametrize("role", Role)
def test_CO_01_nobody_touches_that_of_another(command: ComparisonCommand, role: Role) -> None:
    other = command.model_copy(update={"asked_by": str(UUID(int=2)), "asked_role": role})
    spec.given(added(), shared()).when(other).refused("not_yours", 403)


def test_CO_06_a_link_states_what_is_compared_when_it_is_opened_in_its_order() -> None:
    spec.given(added(3), added(1), added(2)).when(share()).then(shared(1, 3, 1, 2))
    again = [added(3), added(1), removed(3), added(3)]
    spec.given(*again).when(share()).then(shared(1, 1, 3))


def test_CO_06_where_nothing_is_compared_there_is_nothing_to_share() -> None:
    spec.given().when(share()).refused("comparison_empty")
    spec.given(added(), removed()).when(share()).refused("comparison_empty")
    spec.given(added(), cleared()).when(share()).refused("comparison_empty")


def test_CO_06_a_link_is_opened_and_revoked_for_good() -> None:
    spec.given(added(), shared()).when(unshare()).then(unshared())
    spec.given(added(), shared(), unshared()).when(unshare()).then()
    spec.given(added(), shared(), unshared()).when(share()).refused("share_exists")
    spec.given(added(), shared(), cleared()).when(unshare()).then(unshared())
    spec.given(shared()).when(unshare(2)).refused("share_unknown", 404)


def test_CO_06_so_many_links_are_open_at_a_time() -> None:
    spec.given(*OPEN[:-1]).when(share(SHARES_MAX)).then(shared(SHARES_MAX))
    spec.given(*OPEN).when(share(SHARES_MAX)).refused("shares_full")
    spec.given(*OPEN, unshared(3)).when(share(SHARES_MAX)).then(shared(SHARES_MAX))
    asked = share(SHARES_MAX, asked_at=NOW + DAY)
    spec.given(*OPEN).when(asked).then(shared(SHARES_MAX, at=NOW + DAY))


@pytest.mark.parametrize("lasts", [LASTS_MIN, LASTS_MAX])
def test_CO_06_a_link_lasts_an_hour_to_a_year(lasts: timedelta) -> None:
    spec.given(added()).when(share(lasts=lasts)).then(shared(lasts=lasts))


@pytest.mark.parametrize(
    "lasts", [LASTS_MIN - timedelta(seconds=1), LASTS_MAX + timedelta(seconds=1), -DAY]
)
def test_CO_06_no_link_lasts_shorter_or_longer(lasts: timedelta) -> None:
    spec.given(added()).when(share(lasts=lasts)).refused("share_time_invalid", 422)


@given(commands)
def test_CO_01_CO_02_CO_05_whatever_is_asked_the_order_is_that_of_adding(
    asked: list[ComparisonCommand],
) -> None:
    model: list[UUID] = []
    for command in asked:
        match command:
            case AddToComparison(listing_id=each):
                if each not in model and len(model) < COMPARED_MAX:
                    model.append(each)
            case RemoveFromComparison(listing_id=each):
                model = [other for other in model if other != each]
            case ClearComparison():
                model.clear()
    assert list(comparisons.fold(accepted(asked)).listings) == model


@given(commands)
def test_CO_06_a_link_states_what_was_there(asked: list[ComparisonCommand]) -> None:
    history = accepted(asked)
    for place, event in enumerate(history):
        if isinstance(event, ComparisonShared):
            assert event.listing_ids == comparisons.fold(history[:place]).listings
            assert 0 < len(event.listing_ids) <= COMPARED_MAX
