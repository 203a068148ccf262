"""What an alert has found of a listing, as a fold."""

from __future__ import annotations

from projections.searches.alert_matches import AlertMatch, alert_matches
from schemas.log.messages import Event
from schemas.searches import Frequency, MatchReason, match_id_of, match_stream
from tests.producers.searches.looking import LISTING, NOW, alert, match_deleted, matched, notified
from tests.projections.history import history, rows_of

MATCH = match_id_of(alert(1), LISTING)


def folded(*events: Event) -> AlertMatch:
    (found,) = rows_of(alert_matches, history(match_stream(MATCH), *events)).items()
    assert found[0] == str(MATCH)
    row: AlertMatch = found[1]
    return row


def test_SE_15_one_row_tells_what_was_found_last() -> None:
    row = folded(matched(MatchReason.NEW, 900), matched(MatchReason.PRICE_DROP, 800))
    assert (row.reason, row.price_minor) == (MatchReason.PRICE_DROP, 800)
    assert (row.matched_version, row.notified_version, row.notified_at) == (2, 0, None)


def test_SE_15_what_is_found_after_it_was_told_is_to_be_told_again() -> None:
    row = folded(matched(), notified(1))
    assert (row.matched_version, row.notified_version, row.notified_at) == (1, 1, NOW)
    row = folded(matched(), notified(1), matched(MatchReason.BACK_ON_MARKET))
    assert (row.matched_version, row.notified_version) == (3, 1)


def test_SE_12_what_waits_to_be_told_still_does_when_more_is_found_while_the_alert_is_off() -> None:
    daily, off = {"frequency": Frequency.DAILY}, {"frequency": Frequency.OFF}
    first, dropped = matched(), matched(MatchReason.PRICE_DROP, 800)
    row = folded(first.model_copy(update=daily), dropped.model_copy(update=off))
    assert (row.frequency, row.matched_version) == (Frequency.DAILY, 2)
    # What was told before, or found only while the alert was off, is not told because of that.
    row = folded(first.model_copy(update=daily), notified(1), dropped.model_copy(update=off))
    assert row.frequency is Frequency.OFF
    assert folded(first.model_copy(update=off)).frequency is Frequency.OFF


def test_SE_10_of_what_is_gone_no_row_is_left() -> None:
    events = (matched(), match_deleted(), notified(1))
    for count in (2, 3):
        found = rows_of(alert_matches, history(match_stream(MATCH), *events[:count]))
        assert [row for row in found.values() if row] == []
    assert folded(matched())
