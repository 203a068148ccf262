"""What may happen to somebody's searches and alerts, rule by rule."""

from __future__ import annotations

from uuid import UUID

import pytest

from producers.searches.searches import searches
from schemas.log.messages import Role
from schemas.searches import SEARCHES_MAX, Frequency
from tests.producers.searches.looking import (
    DAY,
    NINE,
    OTHER,
    alert,
    closed,
    create,
    created,
    delete,
    deleted,
    digest,
    due,
    end,
    ended,
    leave,
    save,
    saved,
    search,
    unsubscribe,
    update,
    updated,
)
from tests.producers.spec import Spec

spec = Spec(searches)
FULL = [saved(number) for number in range(SEARCHES_MAX)]
DAILY, WEEKLY, INSTANT, OFF = (
    Frequency.DAILY, Frequency.WEEKLY, Frequency.INSTANT, Frequency.OFF
)  # fmt: skip


def test_SE_04_a_search_is_saved() -> None:
    spec.when(save()).then(saved())


def test_SE_04_the_same_search_again_changes_nothing() -> None:
    spec.given(saved()).when(save(name_sealed="another")).then()


def test_SE_04_there_are_so_many_of_one_person_and_no_more() -> None:
    spec.given(*FULL).when(save(SEARCHES_MAX)).refused("searches_full")
    spec.given(*FULL).when(save(0)).then()
    spec.given(*FULL, deleted(3)).when(save(SEARCHES_MAX)).then(saved(SEARCHES_MAX))


@pytest.mark.parametrize("command", [save, delete, create, end, lambda **more: update(OFF, **more)])
@pytest.mark.parametrize("role", [Role.ADMIN, Role.SYSTEM, Role.BUYER])
def test_SE_05_nobody_else_may(command, role) -> None:
    given = spec.given(saved(), created())
    given.when(command(asked_by=str(OTHER), asked_role=role)).refused("not_yours", 403)


@pytest.mark.parametrize("command", [leave, digest, unsubscribe])
@pytest.mark.parametrize("role", [Role.ADMIN, Role.BUYER])
def test_what_no_person_asks_for_is_refused_to_them(command, role) -> None:
    given = spec.given(saved(), created())
    given.when(command(asked_role=role)).refused("role_not_allowed", 403)


def test_SE_06_a_search_goes_with_its_alert() -> None:
    given = spec.given(saved(1), saved(2), created(1), created(2))
    given.when(delete(1)).then(ended(1), deleted(1))
    spec.given(saved()).when(delete()).then(deleted())


def test_SE_06_what_is_none_cannot_be_deleted() -> None:
    spec.when(delete()).refused("search_unknown", 404)
    spec.given(saved(), deleted()).when(delete()).refused("search_unknown", 404)


def test_SE_06_a_search_saved_again_has_no_alert() -> None:
    given = spec.given(saved(), created(), ended(), deleted(), saved())
    given.when(end()).refused("alert_unknown", 404)
    given.when(create()).then(created())


def test_SE_07_an_alert_is_of_a_saved_search_and_there_is_one() -> None:
    spec.when(create()).refused("search_unknown", 404)
    spec.given(saved()).when(create(frequency=WEEKLY)).then(created(frequency=WEEKLY))
    other = {"alert_id": UUID(int=999)}
    command = create().model_copy(update=other)
    spec.given(saved(), created()).when(command).refused("alert_exists")
    spec.given(saved(), created(), ended()).when(create()).then(created())


@pytest.mark.parametrize("frequency", [INSTANT, WEEKLY, OFF])
def test_SE_09_a_frequency_is_changed(frequency) -> None:
    spec.given(saved(), created()).when(update(frequency)).then(updated(frequency))


def test_SE_09_the_same_again_changes_nothing() -> None:
    spec.given(saved(), created()).when(update(DAILY)).then()
    spec.given(saved(), created(), updated(OFF)).when(update(OFF)).then()
    spec.given(saved()).when(update(OFF)).refused("alert_unknown", 404)


def test_SE_10_an_alert_ends_and_its_search_stays() -> None:
    spec.given(saved(), created()).when(end()).then(ended())
    spec.given(saved(), created(), ended()).when(end()).refused("alert_unknown", 404)
    spec.given(saved(), created(), ended()).when(delete()).then(deleted())


def test_SE_12_a_link_turns_off_its_alert_and_no_other() -> None:
    given = spec.given(saved(1), created(1), saved(2), created(2, INSTANT))
    given.when(unsubscribe(2)).then(updated(OFF, 2))
    given.when(unsubscribe(3)).then()
    given.given(updated(OFF, 2)).when(unsubscribe(2)).then()


def test_SE_12_the_link_of_a_digest_turns_off_all_that_come_in_one() -> None:
    given = spec.given(
        saved(1), created(1), saved(2), created(2, INSTANT), saved(3), created(3, WEEKLY)
    )
    given.when(unsubscribe()).then(updated(OFF, 1), updated(OFF, 3))


def test_CR_02_each_hour_has_one_digest_and_none_comes_after_a_later_one() -> None:
    spec.when(digest()).then(due())
    spec.given(due()).when(digest()).then()
    spec.given(due(NINE + DAY)).when(digest()).then()
    spec.given(due()).when(digest(NINE + DAY)).then(due(NINE + DAY))
    spec.given(due()).when(digest(frequency=WEEKLY)).then(due(frequency=WEEKLY))
    spec.when(digest(frequency=INSTANT)).refused("no_digest")


def test_whoever_leaves_looks_for_nothing() -> None:
    given = spec.given(saved(1), created(1), saved(2))
    given.when(leave()).then(ended(1), deleted(1), deleted(2), closed())
    spec.given(closed()).when(leave()).then()


def test_what_was_under_way_when_somebody_left_is_not_saved_for_them() -> None:
    spec.when(leave()).then(closed())
    spec.given(closed()).when(save()).refused("user_deleted", 410)
    spec.given(saved(), deleted(), closed()).when(save()).refused("user_deleted", 410)
    spec.given(closed()).when(create()).refused("search_unknown", 404)


def test_ids_for_tests_are_apart() -> None:
    assert search(1) != alert(1)
