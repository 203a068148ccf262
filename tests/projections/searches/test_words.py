"""Words are compared as the search engine compares them: test_filter_sets has the proof."""

from __future__ import annotations

import pytest

from projections.search.listing_search import listing_search
from projections.searches.canonical import private_text
from projections.searches.rest import fits_rest
from projections.searches.words import Words
from schemas.search import Filters
from tests.projections.cars import STREAM, created
from tests.projections.history import history, rows_of

(DOCUMENT,) = rows_of(listing_search, history(STREAM, created(on=0))).values()


@pytest.mark.parametrize(
    "text", ["", "porsche", "PORSCHE 911", "carrera4s", "serv", "every year", "911-carrera sunr"]
)
def test_SE_11_words_that_are_there_fit(text) -> None:
    assert Words(DOCUMENT).fit(text)


@pytest.mark.parametrize("name", ["Colombo", "කොළඹ", "கொழும்பு", "Kolomba"])
def test_BY_24_a_saved_search_in_any_script_fits(name) -> None:
    assert Words(DOCUMENT).fit(name)
    assert Words(DOCUMENT).fit(f"පෝර්ෂේ {name[:3]}")  # unfinished
    filters = Filters(q=f"black {name}", location=(name,), color=("කළු",))
    assert fits_rest(private_text(filters), Words(DOCUMENT))
    assert not fits_rest(private_text(Filters(location=("මහනුවර",))), Words(DOCUMENT))


@pytest.mark.parametrize("text", ["golf", "se", "porsche golf", "porsc 911", "!!"])
def test_SE_11_words_that_are_not_do_not(text) -> None:
    assert not Words(DOCUMENT).fit(text)
