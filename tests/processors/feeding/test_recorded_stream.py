from __future__ import annotations

import pytest

from processors.feeding.recorded_stream import (
    COUNTS,
    REPEATED,
    STALE_EPOCH,
    VERSION_GAP,
    Guard,
    incoming_of,
    read_batch,
)
from processors.stores.port import Watermark
from schemas.log.positions import TopicPartition
from schemas.log.recorded import Record, UndecodableError
from tests.processors.records import NOW, record, stream

PLACE = TopicPartition("events.listings", 0)


def verdicts(guard: Guard, *records: Record) -> list[str]:
    return [incoming_of(each, guard).verdict for each in records]


def test_versions_in_order_count() -> None:
    log = [record(0, "a", 1, "one"), record(1, "b", 1, "one"), record(2, "a", 2, "two")]
    assert verdicts(Guard(), *log) == [COUNTS] * 3


def test_a_version_counts_once() -> None:
    log = [record(0, "a", 1, "one"), record(1, "a", 2, "two"), record(2, "a", 2, "six")]
    assert verdicts(Guard(), *log) == [COUNTS, COUNTS, REPEATED]


def test_a_version_from_the_future_does_not_count_until_the_missing_one_came() -> None:
    log = [record(0, "a", 1, "one"), record(1, "a", 3, "six"), record(2, "a", 2, "two")]
    assert verdicts(Guard(), *log) == [COUNTS, VERSION_GAP, COUNTS]


def test_a_stream_that_begins_in_the_middle_has_a_gap_when_the_log_is_read_from_its_start() -> None:
    assert verdicts(Guard(start=0), record(0, "a", 2, "one")) == [VERSION_GAP]


def test_a_reader_that_begins_in_the_middle_takes_a_streams_first_version_on_trust() -> None:
    guard = Guard(start=7)
    assert verdicts(guard, record(7, "a", 5, "one"), record(8, "a", 5, "one")) == [COUNTS, REPEATED]


def test_an_epoch_never_goes_back() -> None:
    log = [
        record(0, "a", 1, "one", epoch=3),
        record(1, "b", 1, "one", epoch=2),
        record(2, "b", 1, "one", epoch=3),
    ]
    assert verdicts(Guard(), *log) == [COUNTS, STALE_EPOCH, COUNTS]


def test_the_epoch_of_the_watermark_is_remembered() -> None:
    assert verdicts(Guard(start=9, epoch=4), record(9, "a", 1, "one", epoch=3)) == [STALE_EPOCH]


def test_events_without_an_order_all_count() -> None:
    log = [record(0, "a", 0, "one"), record(1, "a", 0, "one")]
    assert verdicts(Guard(), *log) == [COUNTS, COUNTS]


def test_streams_long_asleep_are_forgotten_and_begin_afresh() -> None:
    guard = Guard(streams_max=2)
    log = [record(place, name, 1, "one") for place, name in enumerate("abc")]
    assert verdicts(guard, *log, record(3, "a", 7, "one")) == [COUNTS] * 4
    assert verdicts(guard, record(4, "c", 1, "one")) == [REPEATED]


def test_what_can_not_be_read_counts_and_fails_when_decoded() -> None:
    broken = record(5, "a", 1, "one")._replace(headers=[("ce_type", b"listing.created")])
    found = incoming_of(broken, Guard())
    assert found.verdict == COUNTS
    with pytest.raises(UndecodableError):
        found.recorded()


def test_a_record_of_no_stream_has_one_of_its_own() -> None:
    broken = record(5, "a", 1, "one")._replace(headers=[])
    assert incoming_of(broken, Guard()).stream_id == "unreadable/events.listings/0/5"


def test_a_stream_id_fits_into_every_store() -> None:
    broken = record(5, "a", 1, "one")._replace(headers=[("ce_subject", b"a\0\xff")])
    assert incoming_of(broken, Guard()).stream_id == "a\ufffd\ufffd"


def test_a_batchs_watermark_is_after_its_last_record_with_its_time_and_epoch() -> None:
    log = [record(3, "a", 1, "one", epoch=2), record(6, "b", 1, "one", epoch=5)]
    assert read_batch(log, {PLACE: Guard()}).marks == {PLACE: Watermark(7, NOW.timestamp() + 6, 5)}


def test_the_first_half_of_a_batch_has_the_epoch_of_its_own_records() -> None:
    log = [record(3, "a", 1, "one", epoch=2), record(6, "b", 1, "one", epoch=5)]
    first, second = read_batch(log, {PLACE: Guard()}).halves()
    assert first.marks == {PLACE: Watermark(4, NOW.timestamp() + 3, 2)}
    assert second.marks == {PLACE: Watermark(7, NOW.timestamp() + 6, 5)}


def test_events_are_decoded_once_and_only_when_asked_for() -> None:
    found = incoming_of(record(0, "a", 1, "one"), Guard())
    assert found.recorded() is found.recorded()
    assert found.recorded().stream_id == stream("a")
