"""What may happen to somebody's share links: each is opened, and revoked for good. There are so many
open at a time and no more, of which those that have expired are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from producers.decider import Rejected
from schemas.sharing import (
    LASTS_MAX,
    LASTS_MIN,
    SHARES_MAX,
    Share,
    Shared,
    Unshare,
    Unshared,
)

ENDED_MAX = 100  # links that are over and still known: revoking them once more is no fault


@dataclass(frozen=True)
class Links:
    """Until when each link shows something; None once it is revoked. Of those that are over only the
    last are known, so that nobody's links are more than a few.
    """

    until: Mapping[UUID, datetime | None] = field(default_factory=dict)

    def open_at(self, moment: datetime) -> int:
        """How many show something at that moment."""
        return sum(until is not None and until > moment for until in self.until.values())


def may_share(command: Share, links: Links) -> None:
    """Raise Rejected unless the link may be opened: once, for a time in the bounds, while there
    is room.
    """
    if command.share_id in links.until:
        raise Rejected("share_exists")
    if not LASTS_MIN <= command.expires_at - command.asked_at <= LASTS_MAX:
        raise Rejected("share_time_invalid", 422)
    if links.open_at(command.asked_at) >= SHARES_MAX:
        raise Rejected("shares_full")


def is_open(command: Unshare, links: Links) -> bool:
    """Whether there is something to revoke; raises Rejected for what never was a link."""
    if command.share_id not in links.until:
        raise Rejected("share_unknown", 404)
    return links.until[command.share_id] is not None


def after(links: Links, event: Shared | Unshared) -> Links:
    """The links after the event."""
    until = event.expires_at if isinstance(event, Shared) else None
    known = {**links.until, event.share_id: until}
    if isinstance(event, Shared) and len(known) > SHARES_MAX + ENDED_MAX:
        over = (each for each, end in known.items() if end is None or end <= event.shared_at)
        del known[next(over)]
    return Links(known)
