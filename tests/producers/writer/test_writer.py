"""What the writer answers, on a real broker and a real journal."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from weakref import ref

import pytest

import producers.writer.main
from schemas.log.partitioning import partition_of
from schemas.log.recorded import Reply, event_id_of, header, headers_of_command, value_of
from schemas.topics import RECORD_BYTES_MAX
from tests.partitions import PARTITIONS, partition_of_stream
from tests.producers.writer.boxes import (
    BoxOpened,
    ThingPutIn,
    break_box,
    envelope,
    long_ago,
    open_box,
    put_in,
)
from tests.producers.writer.room import Room
from tests.waiting import eventually


@pytest.fixture(scope="module")
async def shop(writer_room: Room) -> AsyncIterator[Room]:
    """A room in which a writer is at work."""
    async with writer_room.writer():
        yield writer_room


async def test_an_accepted_command_appends_its_events_and_tells_version_and_position(
    shop: Room,
) -> None:
    box = uuid4()
    opened, filled = envelope(open_box(box)), envelope(put_in(box, 3))

    first, second = await shop.ask(opened, filled)

    events = [each for each in await shop.events() if each.stream_id == f"box/{box}"]
    assert [each.version for each in events] == [1, 2, 3, 4]
    assert [type(each.event) for each in events] == [BoxOpened, *3 * [ThingPutIn]]
    assert (first.outcome, first.version, first.event_count) == ("accepted", 1, 1)
    assert (second.outcome, second.version, second.event_count) == ("accepted", 4, 3)
    assert first.position == events[0].position
    assert second.position == events[-1].position


async def test_an_event_carries_what_its_command_said_of_itself(shop: Room) -> None:
    asked = envelope(open_box(uuid4()), fingerprint="finger")
    await shop.ask(asked)

    found = [each for each in await shop.events() if each.command_id == asked.command_id]

    event = found[0]
    assert event.event_id == event_id_of(asked.command_id, 0)
    assert (event.index, event.count, event.fingerprint) == (0, 1, "finger")
    assert (event.correlation_id, event.causation_id) == ("correlation", "causation")
    assert event.actor == "tester"
    assert event.writer_epoch >= 1


async def test_a_command_without_effect_is_accepted_with_the_streams_last_position(
    shop: Room,
) -> None:
    box = uuid4()
    opened, nothing = await shop.ask(envelope(open_box(box)), envelope(put_in(box, 0)))

    assert (nothing.outcome, nothing.event_count) == ("accepted", 0)
    assert (nothing.version, nothing.position) == (1, opened.position)


async def test_a_refusal_tells_reason_status_and_faults_and_appends_nothing(shop: Room) -> None:
    box = uuid4()
    _, refused = await shop.ask(envelope(open_box(box)), envelope(put_in(box, -1)))

    assert (refused.outcome, refused.reason, refused.status) == ("refused", "too_few", 422)
    assert [each.pointer for each in refused.faults] == ["/things"]
    assert len([each for each in await shop.events() if each.stream_id == f"box/{box}"]) == 1


async def test_a_repeated_command_gets_its_first_reply_and_no_second_event(shop: Room) -> None:
    box = uuid4()
    opening = envelope(open_box(box))
    (first,) = await shop.ask(opening)

    (again,) = await shop.ask(opening)

    assert again.repeated
    assert again == first.model_copy(update={"repeated": True})
    assert len([each for each in await shop.events() if each.stream_id == f"box/{box}"]) == 1


async def test_a_repeated_refusal_stays_a_refusal_though_it_would_be_accepted_now(
    shop: Room,
) -> None:
    box = uuid4()
    early = envelope(put_in(box))
    (refused,) = await shop.ask(early)
    await shop.ask(envelope(open_box(box)))

    (again,) = await shop.ask(early)

    assert (refused.reason, again.reason) == ("box_is_closed", "box_is_closed")
    assert again.status == 404


@pytest.mark.asvs("V15.4.2")
async def test_a_command_sent_five_times_at_once_is_decided_once(shop: Room) -> None:
    box = uuid4()
    opening = envelope(open_box(box))
    await shop.ask(*5 * [opening])

    replies = [each for each in await shop.replies() if each.command_id == opening.command_id]

    assert [each.repeated for each in replies] == [False, True, True, True, True]
    assert {each.outcome for each in replies} == {"accepted"}
    assert len([each for each in await shop.events() if each.stream_id == f"box/{box}"]) == 1


async def test_a_command_id_with_another_fingerprint_is_refused(shop: Room) -> None:
    box = uuid4()
    opening = envelope(open_box(box), fingerprint="mine")
    other = envelope(put_in(box), opening.command_id, fingerprint="other")
    await shop.ask(opening)

    (reply,) = await shop.ask(other)

    assert (reply.outcome, reply.reason, reply.status) == (
        "refused",
        "idempotency_key_reused",
        422,
    )


async def test_a_reused_command_id_does_not_replace_the_first_reply(shop: Room) -> None:
    box = uuid4()
    opening = envelope(open_box(box), fingerprint="mine")
    other = envelope(put_in(box), opening.command_id, fingerprint="other")

    await shop.ask(opening, other)

    (again,) = await shop.ask(opening)
    assert again.outcome == "accepted"


@pytest.mark.asvs("V15.4.2")
async def test_an_expected_version_that_is_not_the_streams_is_refused_with_412(
    shop: Room,
) -> None:
    box = uuid4()
    _, stale, fresh = await shop.ask(
        envelope(open_box(box)),
        envelope(put_in(box), expected_version=2),
        envelope(put_in(box), expected_version=1),
    )

    assert (stale.reason, stale.status, stale.version) == ("version_mismatch", 412, 1)
    assert fresh.outcome == "accepted"


@pytest.mark.parametrize("version", [1, 2, None])
async def test_a_stranger_gets_one_answer_whatever_the_version(
    shop: Room, version: int | None
) -> None:
    """Otherwise versions of what they may not see could be counted."""
    box = uuid4()
    asked = envelope(put_in(box, by="stranger"), expected_version=version)
    _, refused, again = await shop.ask(envelope(open_box(box)), asked, asked)

    assert (refused.reason, refused.status) == ("not_yours", 403)
    assert again == refused.model_copy(update={"repeated": True})


async def test_of_what_is_not_there_no_version_is_compared(shop: Room) -> None:
    (refused,) = await shop.ask(envelope(put_in(uuid4()), expected_version=3))

    assert (refused.reason, refused.status) == ("box_is_closed", 404)


@pytest.mark.parametrize("things", [-1, 0, 1])
async def test_whoever_may_act_learns_first_that_they_are_late(shop: Room, things: int) -> None:
    """What they saw is not what is: no other fault that it has matters."""
    box = uuid4()
    _, late = await shop.ask(
        envelope(open_box(box)), envelope(put_in(box, things), expected_version=3)
    )

    assert (late.reason, late.status) == ("version_mismatch", 412)


async def test_a_command_past_its_deadline_is_refused_and_has_no_effect(shop: Room) -> None:
    box = uuid4()
    (late,) = await shop.ask(envelope(open_box(box), deadline=long_ago()))

    assert (late.outcome, late.reason, late.status) == ("refused", "deadline_passed", 409)
    assert not [each for each in await shop.events() if each.stream_id == f"box/{box}"]


async def test_a_command_before_its_deadline_is_decided(shop: Room) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    (reply,) = await shop.ask(envelope(open_box(uuid4()), deadline=soon))

    assert reply.outcome == "accepted"


@pytest.mark.asvs("V16.5.3", "V16.5.4")
async def test_a_bug_fails_the_command_and_the_partition_goes_on(shop: Room) -> None:
    box = uuid4()
    _, failed, after = await shop.ask(
        envelope(open_box(box)), envelope(break_box(box)), envelope(put_in(box))
    )

    assert (failed.outcome, failed.reason, failed.status) == ("failed", "command_failed", 500)
    assert (after.outcome, after.version) == ("accepted", 2)


async def test_a_command_that_hit_a_bug_is_parked_with_bytes_headers_and_reason(
    shop: Room,
) -> None:
    broken = envelope(break_box(uuid4()))
    await shop.ask(broken)

    parked = [
        each for each in await shop.parked() if header(each.headers, "ce_id") == broken.command_id
    ]

    assert len(parked) == 1
    headers = dict(parked[0].headers)
    assert parked[0].value == value_of(broken.command)
    assert set(dict(headers_of_command(broken)).items()) <= set(headers.items())
    assert headers["parked_reason"] == b"command_failed"
    assert headers["parked_detail"].startswith(b"ZeroDivisionError at boxes.py:")
    assert b"secret text" not in headers["parked_detail"]


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"ce_type": b"box.unheard_of"}, b"unknown command"),
        ({"ce_subject": b"box/another"}, b"ce_subject"),
        ({"fingerprint": None}, b"missing header"),
        ({"expected_version": b"many"}, b"unreadable command"),
    ],
)
async def test_a_command_that_cannot_be_read_is_answered_and_parked(
    shop: Room, change: dict[str, bytes | None], detail: bytes
) -> None:
    asked = envelope(open_box(uuid4()))
    headers = dict(headers_of_command(asked)) | change
    kept = [(name, value) for name, value in headers.items() if value is not None]
    partition = partition_of_stream(asked.command.stream_id)

    await shop.send_raw(partition, value_of(asked.command), kept)

    async def reply() -> Reply | None:
        found = [each for each in await shop.replies() if each.command_id == asked.command_id]
        return found[0] if found else None

    answer = await eventually(reply, 20)
    assert (answer.outcome, answer.reason, answer.status) == (
        "failed",
        "undecodable_command",
        400,
    )
    parked = [
        each for each in await shop.parked() if header(each.headers, "ce_id") == asked.command_id
    ]
    assert detail in dict(parked[0].headers)["parked_detail"]


@pytest.mark.asvs("V1.5.2")
async def test_bytes_that_name_no_command_are_parked_and_the_partition_goes_on(
    shop: Room,
) -> None:
    box = uuid4()
    partition = partition_of_stream(f"box/{box}")
    await shop.send_raw(partition, b"\xff\x00 not json", [("what", b"\xff")])

    (after,) = await shop.ask(envelope(open_box(box)))

    assert after.outcome == "accepted"
    assert b"\xff\x00 not json" in [each.value for each in await shop.parked()]


async def test_a_command_in_a_partition_that_is_not_its_streams_is_parked(shop: Room) -> None:
    asked = envelope(open_box(uuid4()))
    right = partition_of(asked.command.stream_id, PARTITIONS)
    await shop.send_raw(
        (right + 1) % PARTITIONS, value_of(asked.command), headers_of_command(asked)
    )

    async def answered() -> bool:
        return any(each.command_id == asked.command_id for each in await shop.replies())

    await eventually(answered, 20)
    assert not [each for each in await shop.events() if each.command_id == asked.command_id]


async def test_an_oversized_command_is_parked_whole(shop: Room) -> None:
    asked = envelope(open_box(uuid4(), note="x" * RECORD_BYTES_MAX))
    (reply,) = await shop.ask(asked)

    assert (reply.outcome, reply.reason) == ("failed", "undecodable_command")
    assert value_of(asked.command) in [each.value for each in await shop.parked()]


async def test_events_too_large_for_the_log_are_refused(
    shop: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producers.writer.batch.RECORD_BYTES_MAX", 5_000)
    box = uuid4()
    large, small = await shop.ask(
        envelope(open_box(box, note="x" * 6_000)), envelope(open_box(box))
    )

    assert (large.outcome, large.reason, large.status) == ("refused", "too_large", 422)
    assert (small.outcome, small.version) == ("accepted", 1)


async def test_a_thousand_commands_of_one_stream_get_versions_without_gap(shop: Room) -> None:
    box = uuid4()
    replies = await shop.ask(
        envelope(open_box(box)), *(envelope(put_in(box)) for _ in range(1_000)), timeout_s=60
    )

    assert [each.version for each in replies] == list(range(1, 1_002))
    versions = [each.version for each in await shop.events() if each.stream_id == f"box/{box}"]
    assert versions == list(range(1, 1_002))


class Loop:
    """It holds itself: counting references never frees it."""

    def __init__(self) -> None:
        self.itself = self


async def test_an_idle_writer_frees_what_only_the_collector_can(
    shop: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.disable()
    try:
        loop = ref(Loop())
        monkeypatch.setattr(producers.writer.main, "COLLECT_EVERY_S", 0.0)
        await eventually(lambda: loop() is None, what="the loop is freed")
    finally:
        gc.enable()
