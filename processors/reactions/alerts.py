"""Which alerts a listing is found by: each moment of it (projections.searches.moments) is held
against all saved searches.

The listing is what it was at that moment, folded from the journal: whether the matcher is quick or
an hour behind, it finds the same. OpenSearch tells which sets of filters it fits, Postgres who keeps
them, and the words that somebody looks for are compared here. A command's id follows from alert,
listing and reason, and of a drop from its event: after a crash, by a second reactor or once more
it is the same command, and found once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast
from uuid import UUID, uuid5

from opensearchpy import OpenSearchException

from infra.opensearch import alias_of, means_opensearch_down
from infra.vault import PersonKey, UnsealError
from processors.reacting.effects import Effect, EffectRefusedError, OutsideDownError, Tools
from processors.reactions.withheld_rows import until, until_read
from projections.journal.journal import journal
from projections.journal.streams import events_of, reaches
from projections.listings import listing_page
from projections.reads import Reads
from projections.search.listing_search import ListingDocument
from projections.searches.canonical import filters_of
from projections.searches.filter_sets import filter_sets, percolation
from projections.searches.moments import Offered, after
from projections.searches.rest import fits_rest
from projections.searches.saved_searches import alert_by_id, saved_searches, watchers
from projections.searches.words import Words
from schemas.listings import (
    ListingPriceChanged,
    ListingPublished,
    ListingShown,
    ListingStatus,
    listing_stream,
    seller_account,
)
from schemas.messages import Role
from schemas.recorded import CommandEnvelope, Recorded
from schemas.searches import MATCHES, AlertCreated, Frequency, MatchAlert, MatchReason, match_id_of

NAME = "match_alerts"
SETS = 5_000  # of filters, that one look at OpenSearch brings: each look judges all of them anew
REQUEST_TIMEOUT_S = 25  # longer than the engine's own
PEOPLE = 200  # whose searches one look at Postgres brings
LATE_MAX = 200  # listings that come on offer before an alert can be read: seconds' worth
FIRST_EVENTS = 100  # of a listing, among which its publication is looked for

Heard: TypeAlias = ListingPublished | ListingShown | ListingPriceChanged


@dataclass(frozen=True)
class Moment:
    """A listing at a moment, and why it is one."""

    listing: ListingDocument
    reason: MatchReason
    recorded: Recorded[Any]


async def match_alerts(recorded: Recorded[Heard], tools: Tools) -> None:
    """Ask for a match of every alert whose search the listing fits at this moment."""
    moment = await _moment(recorded, tools)
    if moment is None or not await _is_seen(recorded, tools):
        return
    await _match(moment, tools)


async def match_new_alert(recorded: Recorded[AlertCreated], tools: Tools) -> None:
    """What came on offer just after the alert, before it could be read: whoever looked for alerts
    then did not see it. Once this has waited until everybody does, it looks for listings; so
    whichever looks last sees both.
    """
    event, reads = recorded.event, cast("Reads", tools.postgres)
    await until_read(tools, saved_searches, recorded)
    row = await alert_by_id(reads, str(event.user_id), str(event.alert_id))
    if row is None:
        return
    await until(lambda: _is_held(row["filters_hash"], tools), filter_sets)
    market = filters_of(row["filters"]).market
    since = await listing_page.published_since(reads, market, recorded.recorded_at, LATE_MAX)
    for listing_id in since:
        published = await _publication(reads, listing_id)
        moment = published and await _moment(published, tools)
        if moment:
            await _match(moment, tools, only=str(event.alert_id))


async def _publication(reads: Reads, listing_id: str) -> Recorded[Any] | None:
    """The event by which a listing came on offer first."""
    async for each in events_of(reads, listing_stream(listing_id), count=FIRST_EVENTS):
        if isinstance(each.event, ListingPublished):
            return each
    return None


async def _is_held(filters_hash: str, tools: Tools) -> bool:
    """Whether OpenSearch finds the set of filters."""
    index = alias_of(tools.settings, filter_sets.name)
    body = {"query": {"ids": {"values": [filters_hash]}}, "size": 1, "_source": False}
    return bool(await _searched(tools, index, body))


async def _match(moment: Moment, tools: Tools, only: str | None = None) -> None:
    """Ask for the matches of one alert, or of all."""
    words = Words(moment.listing)
    async for hashes in _fitting(moment.listing, tools):
        async for rows in _watching(hashes, tools):
            keys = await _keys_of(rows, tools)
            found = [
                row
                for row in rows
                if only in (None, row["alert_id"]) and _fits(row, moment, words, keys)
            ]
            await tools.commands.hand_over(_command(row, moment) for row in found)


async def _moment(recorded: Recorded[Heard], tools: Tools) -> Moment | None:
    """The listing as this event left it; None where that is no moment."""
    reads, stream_id = cast("Reads", tools.postgres), recorded.stream_id
    await until(lambda: reaches(reads, stream_id, recorded.version), journal)
    offered, reason = Offered(), None
    async for each in events_of(reads, stream_id, count=recorded.version):
        offered, reason = after(offered, each)
    if reason is None or offered.document is None:
        return None
    return Moment(offered.document, reason, recorded)


async def _is_seen(recorded: Recorded[Heard], tools: Tools) -> bool:
    """Whether everybody sees the listing now: what was sold, taken back or hidden meanwhile, or
    waits to be mended, is no news.
    """
    await until_read(tools, listing_page.listing_page, recorded)
    listing_id = str(recorded.event.listing_id)
    row = await listing_page.by_id(cast("Reads", tools.postgres), listing_id)
    return row is not None and row["status"] == ListingStatus.ACTIVE


async def _fitting(listing: ListingDocument, tools: Tools) -> AsyncIterator[Sequence[str]]:
    """The hashes of all sets of filters that the listing fits, some at a time."""
    index, last = alias_of(tools.settings, filter_sets.name), None
    while True:
        hits = await _searched(tools, index, percolation(listing, SETS, last))
        if hits:
            yield [hit["_id"] for hit in hits]
            last = hits[-1]["sort"]
        if len(hits) < SETS:
            return


async def _searched(
    tools: Tools, index: str, body: Mapping[str, Any]
) -> Sequence[Mapping[str, Any]]:
    try:
        answer = await tools.opensearch.search(
            index=index, body=body, params={"request_timeout": REQUEST_TIMEOUT_S}
        )
    except OpenSearchException as error:
        if not (means_opensearch_down(error) or getattr(error, "status_code", 0) == _NOT_BUILT):
            raise
        message = f"opensearch: {type(error).__name__}"
        raise OutsideDownError(message) from error
    if answer["timed_out"] or answer["_shards"]["failed"]:
        # Half of the sets would look like all of them.
        message = "opensearch took too long"
        raise OutsideDownError(message)
    found: Sequence[Mapping[str, Any]] = answer["hits"]["hits"]
    return found


_NOT_BUILT = 404  # its read model is not there yet


async def _watching(
    hashes: Sequence[str], tools: Tools
) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
    """The searches with alerts that keep one of these sets, of some people at a time."""
    reads, last = cast("Reads", tools.postgres), ""
    while rows := await watchers(reads, hashes, last, PEOPLE):
        yield rows
        last = rows[-1]["user_id"]


async def _keys_of(rows: Iterable[Mapping[str, Any]], tools: Tools) -> Mapping[UUID, PersonKey]:
    """The keys of those whose searches have more to them than is public."""
    people = {UUID(row["user_id"]) for row in rows if row["text_sealed"]}
    return await tools.vault.people(people) if people else {}


def _fits(
    row: Mapping[str, Any], moment: Moment, words: Words, keys: Mapping[UUID, PersonKey]
) -> bool:
    """Whether the rest fits, too: it is not the person's own listing, and is what they keep to
    themselves.
    """
    user_id = UUID(row["user_id"])
    if seller_account(moment.listing.seller_id) == user_id:
        return False
    if not row["text_sealed"]:
        return True
    key = keys.get(user_id)
    if key is None:
        return False  # They have been erased.
    try:
        return fits_rest(key.unseal("search_text", row["text_sealed"]), words)
    except UnsealError:
        reason = "what is sealed does not open with the person's key"
        raise EffectRefusedError(reason) from None


def _command(row: Mapping[str, Any], moment: Moment) -> CommandEnvelope:
    alert_id, recorded = UUID(row["alert_id"]), moment.recorded
    listing, listing_id = moment.listing, recorded.event.listing_id
    assert listing.price_minor is not None
    assert listing.currency is not None
    match_id = match_id_of(alert_id, listing_id)
    cause = recorded.event_id if moment.reason is MatchReason.PRICE_DROP else ""
    command = MatchAlert(
        match_id=match_id,
        alert_id=alert_id,
        search_id=UUID(row["search_id"]),
        user_id=UUID(row["user_id"]),
        listing_id=listing_id,
        reason=moment.reason,
        frequency=Frequency(row["frequency"]),
        price_minor=listing.price_minor,
        currency=listing.currency,
        caused_by=recorded.event_id,
        asked_at=recorded.recorded_at,
        asked_by=f"effect/{NAME}",
        asked_role=Role.SYSTEM,
    )
    return CommandEnvelope(
        command=command,
        command_id=str(uuid5(MATCHES, f"{match_id}/{moment.reason}/{cause}")),
        correlation_id=recorded.correlation_id,
        causation_id=recorded.event_id,
        fingerprint="",  # its id is derived, so it is never another command's
    )


MATCH_NEW_ALERT = Effect(
    "match_new_alert", (AlertCreated,), match_new_alert, repeatable=True, in_order=False
)
MATCH_ALERTS = Effect(
    NAME,
    (ListingPublished, ListingShown, ListingPriceChanged),
    match_alerts,
    repeatable=True,
    in_order=False,
)
