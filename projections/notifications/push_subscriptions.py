"""Where people are shown notifications. Postgres, one row per person: what each subscription says is
sealed with their key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias, assert_never

from sqlalchemy import MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.identity import UserDeleted
from schemas.log.recorded import Recorded
from schemas.notifications import PushSubscribed, PushUnsubscribed

Heard: TypeAlias = PushSubscribed | PushUnsubscribed | UserDeleted


@dataclass(frozen=True, slots=True)
class PushSubscriptions:
    """The subscriptions, the first made first; the tuples go together."""

    ids: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    sealed: tuple[str, ...] = ()
    subscribed_at: tuple[datetime, ...] = ()
    deleted: bool = False


def key(recorded: Recorded[Heard]) -> str:
    """The person's id."""
    return str(recorded.event.user_id)


def fold(row: PushSubscriptions | None, recorded: Recorded[Heard]) -> PushSubscriptions:
    """The subscriptions after the event; of the deleted nothing is left, whatever comes."""
    event = recorded.event
    row = row or PushSubscriptions()
    if row.deleted:
        return row
    match event:
        case UserDeleted():
            return PushSubscriptions(deleted=True)
        case PushSubscribed():
            row = _without(row, str(event.subscription_id))
            return replace(
                row,
                ids=(*row.ids, str(event.subscription_id)),
                devices=(*row.devices, event.device.value),
                sealed=(*row.sealed, event.subscription_sealed),
                subscribed_at=(*row.subscribed_at, event.subscribed_at),
            )
        case PushUnsubscribed(subscription_id=subscription_id):
            return _without(row, str(subscription_id))
        case _:
            assert_never(event)


def _without(row: PushSubscriptions, subscription_id: str) -> PushSubscriptions:
    if subscription_id not in row.ids:
        return row
    place = row.ids.index(subscription_id)
    return replace(
        row,
        ids=row.ids[:place] + row.ids[place + 1 :],
        devices=row.devices[:place] + row.devices[place + 1 :],
        sealed=row.sealed[:place] + row.sealed[place + 1 :],
        subscribed_at=row.subscribed_at[:place] + row.subscribed_at[place + 1 :],
    )


push_subscriptions = Projection(
    name="push_subscriptions",
    version=1,
    hears=(PushSubscribed, PushUnsubscribed, UserDeleted),
    key=key,
    fold=fold,
    erased_by=(UserDeleted,),
    row=PushSubscriptions,
    target=PostgresTable(Table("push_subscriptions", MetaData(), *columns_of(PushSubscriptions))),
)

_OF_PERSON = """
    SELECT one.id, one.device, one.subscription_sealed, one.subscribed_at
    FROM reads.push_subscriptions AS own
    CROSS JOIN LATERAL unnest(own.ids, own.devices, own.sealed, own.subscribed_at)
        AS one (id, device, subscription_sealed, subscribed_at)
    WHERE own.key = $1
"""


async def of_person(reads: Reads, user_id: str) -> Sequence[Mapping[str, Any]]:
    """One person's, at most ten."""
    return await reads.fetch(_OF_PERSON, user_id)
