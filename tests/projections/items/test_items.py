"""Items as they are remembered."""

from __future__ import annotations

from typing import Any

import pytest

from projections.image_columns import NOT_DRAWN
from projections.items.items import folded, items
from schemas.items import (
    ItemFields,
    ItemImage,
    ItemUpdated,
    item_stream,
)
from tests.producers.test_items import (
    ACTIVATED,
    DELETED,
    FIELDS,
    ITEM,
    NOW,
    ONE,
    OWNER,
    THREE,
    TWO,
    created,
    settled,
    variants,
    was_drawn,
    was_failed,
    was_removed,
    were_added,
)
from tests.projections.history import history, rows_of


def row_of(*events: Any) -> Any:
    return rows_of(items, history(item_stream(ITEM), *events)).get(str(ITEM))


def updated(**changes: Any) -> ItemUpdated:
    return ItemUpdated(
        item_id=ITEM, fields=ItemFields(**{**dict(FIELDS), **changes}), updated_at=NOW
    )


def test_IT_13_a_row_holds_all_that_is_stated() -> None:
    row = row_of(created())
    assert {name: getattr(row, name) for name in ItemFields.model_fields} == dict(FIELDS)
    assert (row.owner_id, row.email_domain) == (str(OWNER), "cs.uni.example")
    assert (row.status, row.image_processing_status) == ("processing", "pending")
    assert (row.image_ids, row.thumbnail_keys) == ((str(ONE),), (NOT_DRAWN,))
    assert (row.created_at, row.version) == (NOW, 1)


def test_IT_06_each_image_comes_to_its_own_place() -> None:
    both = created(ItemImage(media_id=ONE), ItemImage(media_id=TWO))
    row = row_of(both, was_drawn(TWO, "b"))
    assert (row.thumbnail_keys, row.medium_keys, row.large_keys) == (
        (NOT_DRAWN, "b-s"),
        (NOT_DRAWN, "b-m"),
        (NOT_DRAWN, "b-l"),
    )
    row = row_of(both, was_drawn(TWO, "b"), was_drawn(ONE), settled("completed"), ACTIVATED)
    assert row.large_keys == ("a-l", "b-l")
    assert (row.status, row.image_processing_status) == ("active", "completed")


def test_ME_05_an_image_that_is_deleted_leaves_the_others_in_their_order() -> None:
    both = created(ItemImage(media_id=ONE), ItemImage(media_id=TWO))
    row = row_of(both, was_drawn(TWO, "b"), was_removed(ONE))
    assert (row.image_ids, row.large_keys) == ((str(TWO),), ("b-l",))
    assert row_of(both, was_removed(ONE), was_removed(TWO)).thumbnail_keys == ()


def test_IT_06_an_image_that_was_drawn_before_the_item_is_there_from_its_beginning() -> None:
    known = created(ItemImage(media_id=ONE, variants=variants("a")))
    assert row_of(was_drawn(ONE)) is None
    assert row_of(was_drawn(ONE), known).medium_keys == ("a-m",)


def test_ME_12_more_images_stand_behind_the_others() -> None:
    on_offer = (created(), was_drawn(ONE), settled("completed"), ACTIVATED)
    known = ItemImage(media_id=THREE, variants=variants("c"))
    more = were_added(ItemImage(media_id=TWO), known)
    row = row_of(*on_offer, was_drawn(THREE, "c"), more, was_drawn(TWO, "b"))
    assert row.image_ids == (str(ONE), str(TWO), str(THREE))
    assert row.large_keys == ("a-l", "b-l", "c-l")
    assert (row.status, row.image_processing_status) == ("active", "completed")


def test_IT_05_a_late_success_replaces_a_failure() -> None:
    failed = (created(), was_failed(ONE), settled("failed"), ACTIVATED)
    row = row_of(*failed)
    assert (row.status, row.image_processing_status) == ("active", "failed")
    row = row_of(*failed, was_drawn(ONE), settled("completed"))
    assert (row.status, row.image_processing_status) == ("active", "completed")


def test_IT_11_a_change_is_seen_and_found() -> None:
    row = row_of(created(), updated(title="Abacus", description=None))
    assert (row.title, row.description, row.searched) == ("Abacus", None, "abacus\n")
    assert row.version == 2


def test_IT_11_a_deleted_item_keeps_its_row() -> None:
    assert row_of(created(), settled("completed"), ACTIVATED, DELETED).status == "deleted"


@pytest.mark.parametrize(
    ("written", "looked_for"),
    [
        ("LAPtop", "laptop"),
        ("  two\r\n lines ", "two lines"),
        ("Straße", "STRASSE"),
        ("e\u0301", "É"),
    ],
)
def test_IT_08_case_spaces_and_accents_are_looked_for_alike(written, looked_for) -> None:
    assert folded(written) == folded(looked_for)
