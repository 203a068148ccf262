"""Reviews as they are kept for reading."""

from __future__ import annotations

from projections.reviews.reviews import reviews
from schemas.reviews import review_stream
from tests.producers.test_reviews import CREATED, DELETED, ID, SAID, text, updated
from tests.projections.history import history, rows_of

KEY = str(ID)


def row_after(*events):
    return rows_of(reviews, history(review_stream(ID), *events))[KEY]


def test_a_review_is_kept_sealed() -> None:
    row = row_after(CREATED)
    assert (row.rating, row.version, row.deleted) == (4, 1, False)
    assert (row.title_sealed, row.content_sealed) == ("title", "content")
    assert row.created_at == row.updated_at == CREATED.created_at


def test_a_change_replaces_all_that_is_said() -> None:
    other = SAID.model_copy(update={"title": None, "content": text("other")})
    row = row_after(CREATED, updated(2, 4, other))
    assert (row.rating, row.title_sealed, row.content_sealed) == (2, None, "other")
    assert row.version == 2


def test_of_a_deleted_review_no_text_is_kept() -> None:
    row = row_after(CREATED, DELETED)
    assert (row.deleted, row.title_sealed, row.content_sealed) == (True, None, None)


def test_what_is_written_anew_stands_again() -> None:
    row = row_after(CREATED, DELETED, CREATED)
    assert (row.deleted, row.version, row.content_sealed) == (False, 3, "content")
