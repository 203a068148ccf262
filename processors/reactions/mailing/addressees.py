"""Whom a mail goes to: what the read model has of them, unsealed by the vault at the last moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from infra.vault.vault import UnsealError
from processors.reacting.effects import EffectRefusedError, OutsideDownError, Tools
from projections.identity import users
from projections.profiles import user_preferences
from projections.reads import Reads
from schemas.identity import UserStatus
from schemas.log.messages import Language
from schemas.log.recorded import Recorded
from schemas.notifications import NotificationChannel, Withheld

UNREACHED = frozenset({UserStatus.BANNED, UserStatus.DELETED})

_HERE = frozenset({UserStatus.PENDING, UserStatus.ACTIVE})

_NEXT_OFFSET = """
    SELECT next_offset FROM mesh.live_watermarks
    WHERE projection = $1 AND topic = $2 AND partition = $3
"""


@dataclass(frozen=True)
class Addressee:
    """Somebody readable; only ever in memory."""

    address: str
    name: str
    language: Language
    email_verified: bool = False

    def __repr__(self) -> str:
        return "Addressee(…)"


async def unsealed(
    tools: Tools,
    user_id: UUID,
    email_sealed: str,
    name_sealed: str,
    language: Language,
    *,
    email_verified: bool = False,
) -> Addressee | None:
    """Somebody; None when their key is gone: they have been erased."""
    key = await tools.vault.person(user_id)
    if key is None:
        return None
    try:
        address = key.unseal("email", email_sealed)
        name = key.unseal("name", name_sealed)
    except UnsealError:
        reason = "what is sealed does not open with the person's key"
        raise EffectRefusedError(reason) from None
    return Addressee(address, name, language, email_verified)


async def addressee(tools: Tools, recorded: Recorded[Any], user_id: UUID) -> Addressee | None:
    """The person of an event; None for whoever gets no mail. Raises OutsideDownError while the
    read model has not come as far as the event.
    """
    reads = cast("Reads", tools.postgres)
    row = await users.by_id(reads, str(user_id))
    if not _told_by(row, recorded):
        if not await _passed(tools, recorded):
            reason = "the read model of users has not caught up"
            raise OutsideDownError(reason)
        # It may have come past the event between the two looks.
        row = await users.by_id(reads, str(user_id))
    if row is None or UserStatus(row["status"]) in UNREACHED:
        return None
    return await unsealed(
        tools,
        user_id,
        row["email_sealed"],
        row["name_sealed"],
        Language(row["language"]),
        email_verified=row["email_verified"],
    )


async def reader(
    tools: Tools, user_id: UUID, channel: NotificationChannel = NotificationChannel.EMAIL
) -> Addressee | Withheld:
    """Somebody who is told by this channel what they did not ask for: they are there, want that, and
    where it is mailed have proved their e-mail, so that nobody fills a stranger's mailbox. Or why
    they are told nothing now.
    """
    row = await users.by_id(cast("Reads", tools.postgres), str(user_id))
    if row is None or UserStatus(row["status"]) not in _HERE:
        return Withheld.GONE
    if channel is NotificationChannel.EMAIL and not row["email_verified"]:
        return Withheld.NO_ADDRESS
    if not await wants(tools, user_id, channel):
        return Withheld.OFF
    language = Language(row["language"])
    found = await unsealed(tools, user_id, row["email_sealed"], row["name_sealed"], language)
    return Withheld.GONE if found is None else found


async def reader_of_alerts(tools: Tools, user_id: UUID) -> Addressee | None:
    """Somebody who gets mails of what their searches find; None: not now."""
    found = await reader(tools, user_id)
    return None if isinstance(found, Withheld) else found


async def wants(
    tools: Tools, user_id: UUID, channel: NotificationChannel = NotificationChannel.EMAIL
) -> bool:
    """Whether somebody wants to be told by this channel what they did not ask for; what they asked
    for, such as the link for another password, is sent whatever they chose.
    """
    found = await user_preferences.by_id(cast("Reads", tools.postgres), str(user_id))
    return found.enabled(channel)


def _told_by(row: Mapping[str, Any] | None, recorded: Recorded[Any]) -> bool:
    return row is not None and row["version"] >= recorded.version


async def _passed(tools: Tools, recorded: Recorded[Any]) -> bool:
    """Whether the read model has come past the event without telling of it: parked there, or of
    nobody. Then it will not come to know more by waiting.
    """
    position = recorded.position
    reached = await tools.postgres.fetchval(
        _NEXT_OFFSET, users.users.name, position.topic, position.partition
    )
    return (reached or 0) > position.offset
