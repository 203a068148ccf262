"""Share links: whoever has one sees something of somebody's, signed in or not, for a time.

Of a link's text only the SHA-256 of its 256 random bits is told. What is shared, and what its
events are called, each context says itself.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from pydantic import AwareDatetime

from schemas.identity.values import TokenHash
from schemas.log.messages import Command, Event

LINK_HOURS_DEFAULT: Final = 30 * 24
LINK_HOURS_MAX: Final = 365 * 24
LASTS_MIN, LASTS_MAX = timedelta(hours=1), timedelta(hours=LINK_HOURS_MAX)
SHARES_MAX = 20  # links of one person to one kind of thing that are open at a time


class Share(Command):
    """Let whoever has the link see it until then."""

    share_id: UUID
    user_id: UUID
    token_hash: TokenHash
    expires_at: AwareDatetime


class Unshare(Command):
    """Let the link show nothing any more."""

    share_id: UUID
    user_id: UUID


class Shared(Event):
    """A link shows something of this person's until it expires."""

    share_id: UUID
    user_id: UUID
    token_hash: TokenHash
    shared_at: AwareDatetime
    expires_at: AwareDatetime


class Unshared(Event):
    """The link shows nothing any more, for good."""

    share_id: UUID
    user_id: UUID
    unshared_at: AwareDatetime
