"""Which alerts a listing is found by: each moment of it (projections.searches.moments) is held
against all saved searches.

The listing is what it was at that moment, folded from the journal: whether the matcher is quick or
an hour behind, it finds the same. OpenSearch tells which sets of filters it fits, Postgres who keeps
them, and the words that somebody looks for are compared here. A command's id follows from alert,
listing and reason, and of a drop from its event: after a crash, by a second reactor or once more
it is the same command, and found once.

An alert is told of what happens after it was made, never of what was on offer before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias, cast
from uuid import UUID, uuid5

import structlog
from opensearchpy import OpenSearchException

from infra.clients.opensearch import alias_of, means_opensearch_down, watermark_id
from infra.vault.vault import PersonKey, UnsealError
from processors.reacting.effects import Effect, EffectRefusedError, OutsideDownError, Tools
from processors.reacting.handlers import Begins
from processors.reactions.withheld_rows import is_withheld, until, until_read
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
from schemas.log.messages import Market, Role
from schemas.log.recorded import CommandEnvelope, Recorded
from schemas.searches import MATCHES, AlertCreated, Frequency, MatchAlert, MatchReason, match_id_of

NAME = "match_alerts"
SETS = 5_000  # of filters, that one look at OpenSearch brings: each look judges all of them anew
REQUEST_TIMEOUT_S = 25  # longer than the engine's own
PEOPLE = 200  # whose searches one look at Postgres brings
LATE_MAX = 500  # listings that change before an alert can be read: what one try has time for
LATE_PAGE = 100  # of them at a time
EVENTS_MAX = 10_000  # of such a listing
MATCHED_WITHIN = timedelta(days=2)  # what is older is no news: as long as its mail would be sent

log = structlog.get_logger()

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
    if moment is None or not await _is_seen(moment, tools):
        return
    words = Words(moment.listing)
    async for hashes in _fitting(moment.listing, tools):
        async for rows in _watching(hashes, tools):
            older = [row for row in rows if row["alert_since"] <= recorded.recorded_at]
            await _match(older, moment, words, tools)


async def match_new_alert(recorded: Recorded[AlertCreated], tools: Tools) -> None:
    """What was news just after the alert, before it could be read: whoever looked for alerts then
    did not see it. Once this has waited until everybody does, it looks for listings; so whichever
    looks last sees both. The first are looked at first, LATE_MAX listings at most: what is further
    on has found the alert itself.
    """
    event, reads = recorded.event, cast("Reads", tools.postgres)
    await until_read(tools, saved_searches, recorded)
    row = await alert_by_id(reads, str(event.user_id), str(event.alert_id))
    if row is None:
        return
    await _until_searchable(recorded, tools)
    market = filters_of(row["filters"]).market
    async for page in _changed(reads, market, recorded.recorded_at):
        async for moment in _moments(reads, listing_stream(page["key"]), EVENTS_MAX):
            if moment.recorded.recorded_at < recorded.recorded_at or not _is_news(moment, page):
                continue
            if await _is_fitting(row["filters_hash"], moment.listing, tools):
                await _match([row], moment, Words(moment.listing), tools)


async def _changed(
    reads: Reads, market: Market, since: datetime
) -> AsyncIterator[Mapping[str, Any]]:
    """The pages of what is on offer and has changed since then, the first first."""
    last, left = (since, ""), LATE_MAX
    while rows := await listing_page.changed_since(reads, market, last, min(LATE_PAGE, left)):
        for row in rows:
            yield row
        last, left = (rows[-1]["updated_at"], rows[-1]["key"]), left - len(rows)


async def _until_searchable(recorded: Recorded[Any], tools: Tools) -> None:
    """Return when OpenSearch finds the sets of filters as they are at this event. One that is not
    there then waits to be mended, or was given up.
    """
    alias, client = alias_of(tools.settings, filter_sets.name), tools.opensearch
    place = recorded.position

    async def read() -> str:
        with _answering():
            index = str(next(iter(await client.indices.get_alias(name=alias))))
            generation = f"{filter_sets.name}__g{index.rpartition('-g')[2]}"
            ids = [watermark_id(generation, place.topic, place.partition)]
            watermarks = alias_of(tools.settings, "watermarks")
            (mark,) = (await client.mget(index=watermarks, body={"ids": ids}))["docs"]
        read_to = mark["_source"]["next_offset"] if mark.get("found") else 0
        return index if read_to > place.offset else ""

    index = await until(read, filter_sets)
    with _answering():
        await client.indices.refresh(index=index)


async def _match(
    rows: Sequence[Mapping[str, Any]], moment: Moment, words: Words, tools: Tools
) -> None:
    """Ask for the matches of those whose filters it fits, where the rest fits, too."""
    keys = await _keys_of(rows, tools)
    found = [row for row in rows if _fits(row, moment, words, keys)]
    await tools.commands.hand_over(_command(row, moment) for row in found)


async def _moment(recorded: Recorded[Heard], tools: Tools) -> Moment | None:
    """The listing as this event left it; None where that is no moment."""
    reads, stream_id = cast("Reads", tools.postgres), recorded.stream_id
    await until(lambda: reaches(reads, stream_id, recorded.version), journal)
    found = None
    async for moment in _moments(reads, stream_id, recorded.version):
        found = moment
    return found if found and found.recorded.version == recorded.version else None


async def _moments(reads: Reads, stream_id: str, count: int) -> AsyncIterator[Moment]:
    """The moments among the first events of a listing."""
    offered = Offered()
    async for each in events_of(reads, stream_id, count=count):
        offered, reason = after(offered, each)
        if reason is not None and offered.document is not None:
            yield Moment(offered.document, reason, each)


async def _is_seen(moment: Moment, tools: Tools) -> bool:
    """Whether everybody sees the listing now. Where its page waits to be mended nobody knows:
    so does this.
    """
    await until_read(tools, listing_page.listing_page, moment.recorded)
    listing_id = moment.listing.listing_id
    page = await listing_page.by_id(cast("Reads", tools.postgres), listing_id)
    if page is None and await is_withheld(tools, listing_page.listing_page, listing_id):
        reason = "the listing's page waits to be mended: retry this after it"
        raise EffectRefusedError(reason)
    return page is not None and _is_news(moment, page)


def _is_news(moment: Moment, page: Mapping[str, Any]) -> bool:
    """Whether it still is: what was sold, taken back or hidden meanwhile, or costs more again, is
    none.
    """
    if page["status"] != ListingStatus.ACTIVE:
        return False
    if moment.reason is not MatchReason.PRICE_DROP:
        return True
    told, price_minor = moment.listing, page["price_minor"]
    return bool(page["currency"] == told.currency and price_minor <= (told.price_minor or 0))


async def _fitting(listing: ListingDocument, tools: Tools) -> AsyncIterator[Sequence[str]]:
    """The hashes of all sets of filters that the listing fits, some at a time."""
    last = None
    while True:
        hits = await _searched(tools, percolation(listing, SETS, last))
        if hits:
            yield [hit["_id"] for hit in hits]
            last = hits[-1]["sort"]
        if len(hits) < SETS:
            return


async def _is_fitting(filters_hash: str, listing: ListingDocument, tools: Tools) -> bool:
    """Whether the listing fits this one set of filters."""
    return bool(await _searched(tools, percolation(listing, 1, only=filters_hash)))


async def _searched(tools: Tools, body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What OpenSearch finds among the sets of filters. Raises TimeoutError where it gives up: that
    may be this listing's fault, and then it must not hold up the others for ever.
    """
    with _answering():
        answer = await tools.opensearch.search(
            index=alias_of(tools.settings, filter_sets.name),
            body=body,
            params={"request_timeout": REQUEST_TIMEOUT_S},
        )
    if answer["timed_out"] or answer["_shards"]["failed"]:
        # Half of the sets would look like all of them.
        message = "opensearch gave up"
        raise TimeoutError(message)
    found: Sequence[Mapping[str, Any]] = answer["hits"]["hits"]
    return found


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except OpenSearchException as error:
        if not (means_opensearch_down(error) or getattr(error, "status_code", 0) == _NOT_BUILT):
            raise
        message = f"opensearch: {type(error).__name__}"
        raise OutsideDownError(message) from error


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
    themselves. What does not open is nobody's: the others are told all the same.
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
        log.warning("alert_words_sealed", handler=NAME, alert_id=row["alert_id"])
        return False


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
    "match_new_alert",
    (AlertCreated,),
    match_new_alert,
    MATCHED_WITHIN,
    repeatable=True,
    begins=Begins.FIRST_SEEN,
    in_order=False,
)
MATCH_ALERTS = Effect(
    NAME,
    (ListingPublished, ListingShown, ListingPriceChanged),
    match_alerts,
    MATCHED_WITHIN,
    repeatable=True,
    begins=Begins.FIRST_SEEN,
    in_order=False,
)
