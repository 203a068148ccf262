"""The process that turns events into what follows from them: commands, and effects outside.

Each reaction is a consumer group of its own over committed events. Offsets are committed only
after every command has been acknowledged by the broker, so a crash repeats some of them; their
ids are derived from the event, so the writer answers a repeat with its first reply. Effects are
run beside them, by processors.reactions.effect_runner, and what is past its time is swept every hour. A
replay never comes here: it reads the log without a group and knows none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import structlog
from aiokafka import ConsumerRecord

from infra.kafka import Gathering, aio_consumer, membership, start_client
from infra.metrics import REACTIONS as REACTED
from infra.process import announce_ready
from infra.settings import Settings
from processors.reactions.commands import Commands, open_commands
from processors.reactions.effect_runner import (
    GATHER_MS,
    open_tools,
    run_effect,
)
from processors.reactions.effects import Effect
from processors.reactions.erasure import DESTROY_KEY
from processors.reactions.items import WITHDRAW_ITEMS
from processors.reactions.mailing.mails import MAILING
from processors.reactions.media import PROCESS_MEDIA
from processors.reactions.offsets import Offsets
from processors.reactions.pictures import DROP_PICTURES
from processors.reactions.reactions import REACTIONS, Reaction
from processors.reactions.standing import SETTLE_LISTING, SETTLE_SELLER
from processors.reactions.sweeping import keep_sweeping
from schemas.recorded import CommandEnvelope, UndecodableError, decode_event, header
from schemas.topics import EVENT_TYPES

BATCH_MAX = 500
POLL_MS = 500
# Every effect. A new one is listed here and nowhere else.
EFFECTS: tuple[Effect, ...] = (
    *MAILING,
    DROP_PICTURES,
    DESTROY_KEY,
    SETTLE_SELLER,
    SETTLE_LISTING,
    PROCESS_MEDIA,
    WITHDRAW_ITEMS,
)

log = structlog.get_logger()


async def run_reactor(
    settings: Settings,
    stop: asyncio.Event,
    reactions: Sequence[Reaction] = REACTIONS,
    effects: Sequence[Effect] = EFFECTS,
) -> None:
    """Run every reaction and effect until `stop` is set. Raises when the broker can't be
    reached or takes no commands: a new start goes on from the last committed offset.
    """
    async with (
        open_commands(settings, "mesh-reactor") as commands,
        open_tools(settings, commands) as tools,
        asyncio.TaskGroup() as group,
    ):
        started = [asyncio.Event() for _ in (*reactions, *effects)]
        for reaction, event in zip(reactions, started[: len(reactions)], strict=True):
            group.create_task(_run(settings, reaction, commands, event, stop))
        for effect, event in zip(effects, started[len(reactions) :], strict=True):
            group.create_task(run_effect(effect, tools, event, stop))
        group.create_task(keep_sweeping(settings, commands, stop))
        for event in started:
            await event.wait()
        announce_ready()


async def _run(
    settings: Settings,
    reaction: Reaction,
    commands: Commands,
    started: asyncio.Event,
    stop: asyncio.Event,
) -> None:
    consumer = aio_consumer(
        settings,
        f"mesh-{reaction.name}",
        group_id=reaction.group,
        **membership(settings),
        **Gathering.options(),
    )
    gathering = Gathering(consumer, GATHER_MS)
    consumer.subscribe(reaction.topics)
    await start_client(consumer)
    started.set()
    offsets = Offsets(consumer, reaction.name)
    try:
        while not stop.is_set():
            batches = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH_MAX)
            gathering.took(some=bool(batches))
            records = [record for batch in batches.values() for record in batch]
            for place, batch in batches.items():
                offsets.done(place, batch[-1].offset)
            if await _send(commands, reaction, records):
                await offsets.commit()
            else:
                await offsets.commit_seldom()
    finally:
        await consumer.stop()


async def _send(commands: Commands, reaction: Reaction, records: Iterable[ConsumerRecord]) -> int:
    """Have the broker acknowledge every command that follows from these records; how many."""
    envelopes = [each for record in records for each in envelopes_of(reaction, record)]
    sent = await commands.hand_over(envelopes)
    if sent:
        REACTED.labels(reaction.name, "sent").inc(sent)
    return sent


def envelopes_of(reaction: Reaction, record: ConsumerRecord) -> list[CommandEnvelope]:
    """What follows from one record. One that can't be read or reacted to is told, counted and
    passed over: it stays in the log, and what comes after it must not wait for us.
    """
    kind = header(record.headers, "ce_type")
    if kind not in reaction.kinds:
        return []
    try:
        return reaction.envelopes(decode_event(record, EVENT_TYPES))
    except UndecodableError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it would come again at each retry
        reason = type(error).__name__
    REACTED.labels(reaction.name, "poisoned").inc()
    log.error(
        "reaction_poisoned",
        reaction=reaction.name,
        kind=kind,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason,
    )
    return []
