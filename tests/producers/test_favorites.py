"""What may happen to somebody's favourites, rule by rule."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given

from producers.favorites import favorites
from producers.sharing import ENDED_MAX
from schemas.favorites import (
    FAVORITES_MAX,
    AddFavorite,
    FavoritesCleared,
    FavoritesCommand,
    RemoveFavorite,
)
from schemas.log.messages import Role
from schemas.sharing import LASTS_MAX, LASTS_MIN, SHARES_MAX
from tests.producers.keeping import (
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

spec = Spec(favorites)
FULL = [added(number) for number in range(FAVORITES_MAX)]
OPEN = [shared(number) for number in range(SHARES_MAX)]


def test_FA_01_a_listing_is_a_favourite_once() -> None:
    spec.given().when(add()).then(added())
    spec.given(added()).when(add()).then()
    spec.given(added(), removed()).when(add()).then(added())


def test_FA_01_there_are_so_many_and_no_more() -> None:
    spec.given(*FULL[1:]).when(add(0)).then(added(0))
    spec.given(*FULL).when(add(FAVORITES_MAX)).refused("favorites_full")
    spec.given(*FULL).when(add(0)).then()
    spec.given(*FULL, removed(7)).when(add(FAVORITES_MAX)).then(added(FAVORITES_MAX))


def test_FA_02_what_is_taken_out_is_taken_out_once() -> None:
    spec.given(added()).when(remove()).then(removed())
    spec.given(added(), removed()).when(remove()).then()
    spec.given().when(remove()).then()


def test_FA_05_all_are_cleared_in_one_event() -> None:
    spec.given(added(2), added(1), added(3), removed(3)).when(clear()).then(cleared(1, 2))
    spec.given(added(), cleared(1)).when(clear()).then()
    spec.given().when(clear()).then()


def test_FA_05_as_many_as_there_can_be_fit_into_one_event() -> None:
    spec.given(*FULL).when(clear()).then(cleared(*range(FAVORITES_MAX)))


@pytest.mark.parametrize(
    "command", [add(), remove(), clear(), share(), unshare()], ids=lambda each: each.kind
)
@pytest.mark.parametrize("role", Role)
def test_FA_01_nobody_touches_those_of_others(command: FavoritesCommand, role: Role) -> None:
    other = command.model_copy(update={"asked_by": str(UUID(int=2)), "asked_role": role})
    when = spec.given(added(), shared()).when(other)
    if role is Role.SYSTEM and command.kind == "favorites.clear":
        when.then(cleared(1))  # of whoever has left
    else:
        when.refused("not_yours", 403)


def test_FA_06_a_link_is_opened_and_revoked_for_good() -> None:
    spec.given().when(share()).then(shared())
    spec.given(shared()).when(unshare()).then(unshared())
    spec.given(shared(), unshared()).when(unshare()).then()
    spec.given(shared(), unshared()).when(share()).refused("share_exists")
    spec.given(shared()).when(unshare(2)).refused("share_unknown", 404)


def test_FA_06_so_many_links_are_open_at_a_time() -> None:
    spec.given(*OPEN[1:]).when(share(0)).then(shared(0))
    spec.given(*OPEN).when(share(SHARES_MAX)).refused("shares_full")
    spec.given(*OPEN, unshared(3)).when(share(SHARES_MAX)).then(shared(SHARES_MAX))


def test_FA_06_of_links_that_are_over_a_few_are_known_and_of_open_ones_all() -> None:
    """Else a stream of thousands would be folded for ever: each event copies what is known."""
    over = [each for number in range(1_000, 1_500) for each in (shared(number), unshared(number))]
    known = favorites.fold([*OPEN, *over]).links
    assert known.open_at(NOW) == SHARES_MAX
    assert len(known.until) == SHARES_MAX + ENDED_MAX
    given = spec.given(*OPEN, *over)
    given.when(share(SHARES_MAX)).refused("shares_full")
    given.when(unshare(1_499)).then()
    given.when(unshare(1_000)).refused("share_unknown", 404)


def test_FA_06_expired_links_do_not_count() -> None:
    asked = share(SHARES_MAX, asked_at=NOW + DAY)
    spec.given(*OPEN).when(asked).then(shared(SHARES_MAX, at=NOW + DAY))
    a_moment_before = share(SHARES_MAX, asked_at=NOW + DAY - timedelta(microseconds=1))
    spec.given(*OPEN).when(a_moment_before).refused("shares_full")


@pytest.mark.parametrize("lasts", [LASTS_MIN, LASTS_MAX])
def test_FA_06_a_link_lasts_an_hour_to_a_year(lasts: timedelta) -> None:
    spec.given().when(share(lasts=lasts)).then(shared(lasts=lasts))


@pytest.mark.parametrize(
    "lasts", [LASTS_MIN - timedelta(seconds=1), LASTS_MAX + timedelta(seconds=1), -DAY]
)
def test_FA_06_no_link_lasts_shorter_or_longer(lasts: timedelta) -> None:
    spec.given().when(share(lasts=lasts)).refused("share_time_invalid", 422)


@given(commands)
def test_FA_01_FA_02_FA_05_whatever_is_asked_the_favourites_are_a_set(
    asked: list[FavoritesCommand],
) -> None:
    model: set[UUID] = set()
    for command in asked:
        match command:
            case AddFavorite():
                model.add(command.listing_id)
            case RemoveFavorite():
                model.discard(command.listing_id)
            case _:
                model.clear()
    assert favorites.fold(accepted(asked)).listings == model


@given(commands)
def test_FA_05_a_clearing_states_what_was_there(asked: list[FavoritesCommand]) -> None:
    history = accepted(asked)
    for place, event in enumerate(history):
        if isinstance(event, FavoritesCleared):
            assert set(event.listing_ids) == favorites.fold(history[:place]).listings
