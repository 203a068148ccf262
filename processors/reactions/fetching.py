"""Pictures that somebody has named by their address are fetched, and are uploads from then on.

A lane of their own: whoever has thousands fetched holds up nobody's uploads. What goes wrong is told
to the log and never parks a stream: its seller must see it. Here too an upload and its end stand in
one lane, so that nothing is stored behind the back of what takes everything away.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import structlog

from infra.fetching import (
    AddressRefusedError,
    Fetcher,
    FetchFailedError,
    FetchRefusedError,
    TooLargeError,
)
from infra.pictures import media_type_of
from infra.vault.vault import PersonKey, UnsealError
from processors.reacting.effects import Effect, Tools
from processors.reactions.pictures import object_store
from schemas.log.messages import Role
from schemas.log.recorded import Recorded
from schemas.media import (
    ORIGINAL_BYTES_MAX,
    FailureReason,
    MediaDeleted,
    MediaType,
    MediaWanted,
    RecordFailed,
    RecordFetched,
    RecordTryFailed,
    media_folder,
)

NAME = "fetch_media"
ASKED_BY = f"effect/{NAME}"

log = structlog.get_logger()

Outcome = bytes | FailureReason | None


async def fetch_media(recorded: Recorded[MediaWanted | MediaDeleted], tools: Tools) -> None:
    """Fetch what is wanted and tell the log how that went; drop what was deleted."""
    event = recorded.event
    if isinstance(event, MediaDeleted):
        await _drop(event, tools)
        return
    key = await tools.vault.person(event.owner_id)
    if key is None:
        return  # they have left, and everything of theirs with them
    outcome = await _outcome(event, key, tools)
    command: RecordTryFailed | RecordFailed | RecordFetched
    about = {"media_id": event.media_id, "asked_by": ASKED_BY, "asked_role": Role.SYSTEM}
    if outcome is None:
        # By the clock, and not by the event: the pause begins when the try has ended.
        at = datetime.now(UTC)
        command = RecordTryFailed(attempt=event.attempt, asked_at=at, **about)
    elif isinstance(outcome, FailureReason):
        command = RecordFailed(reason=outcome, asked_at=recorded.recorded_at, **about)
    else:
        command = await _kept(event, key, outcome, tools, asked_at=recorded.recorded_at, **about)
        # Again, for whoever left meanwhile: what is stored from here on, nobody would take away.
        if await tools.vault.person(event.owner_id) is None:
            await _drop(event, tools)
            return
    await tools.commands.send(NAME, recorded, [command])


async def _drop(event: MediaWanted | MediaDeleted, tools: Tools) -> None:
    with object_store(tools.settings) as objects:
        await objects.delete_folder(media_folder(event.owner_id, event.media_id))


async def _outcome(event: MediaWanted, key: PersonKey, tools: Tools) -> Outcome:
    """The bytes of a picture, or why there are none. None: another try may do better."""
    try:
        address = key.unseal("address", event.address_sealed)
        fetcher = Fetcher(tools.settings.fetch_exempt)
        data = await fetcher.fetch(address, ORIGINAL_BYTES_MAX)
    except (AddressRefusedError, UnsealError) as error:
        return _told(event, error, FailureReason.ADDRESS_REFUSED)
    except TooLargeError as error:
        return _told(event, error, FailureReason.TOO_LARGE)
    except FetchRefusedError as error:
        return _told(event, error, FailureReason.NOT_FETCHED)
    except Exception as error:  # noqa: BLE001 - whatever it is, its owner must be told
        _told(event, error, None)
        return None
    # As of an upload, its first bytes say what it is; the rest is the drawer's to judge.
    return data if media_type_of(data) is not None else FailureReason.UNREADABLE


def _told(
    event: MediaWanted, error: Exception, reason: FailureReason | None
) -> FailureReason | None:
    """Why, for the operator; never the address."""
    ours = isinstance(error, AddressRefusedError | FetchRefusedError | FetchFailedError)
    log.info(
        "media_not_fetched",
        media_id=str(event.media_id),
        attempt=event.attempt,
        error=type(error).__name__,
        detail=str(error) if ours else None,
        reason=reason,
    )
    return reason


async def _kept(
    event: MediaWanted, key: PersonKey, data: bytes, tools: Tools, **about: Any
) -> RecordFetched:
    # Its name is keyed: nobody may find out from the log, for ever, who had which picture.
    mark = key.mark("original", sha256(data).hexdigest())
    original = f"{media_folder(event.owner_id, event.media_id)}/original-{mark}"
    with object_store(tools.settings) as objects:
        await objects.put(original, data)
    media_type = MediaType(str(media_type_of(data)))
    return RecordFetched(media_type=media_type, size=len(data), original=original, **about)


FETCH_MEDIA = Effect(NAME, (MediaWanted, MediaDeleted), fetch_media)
