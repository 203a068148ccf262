"""What registering, leaving and unlinking lead to: claims are kept or released."""

from __future__ import annotations

from collections.abc import Sequence

from processors.reacting.reactions import Reaction, asked
from schemas.identity import (
    ConfirmEmail,
    IdentityUnlinked,
    ReleaseEmail,
    ReleaseIdentity,
    UserDeleted,
    UserRegistered,
)
from schemas.log.messages import Command
from schemas.log.recorded import Recorded


def confirm_email(recorded: Recorded[UserRegistered]) -> Sequence[Command]:
    """Whoever has registered keeps the e-mail that was reserved for them."""
    event = recorded.event
    return [
        ConfirmEmail(
            email_hash=event.email_hash,
            owner_id=event.user_id,
            **asked("confirm_email", recorded),
        )
    ]


def release_email(recorded: Recorded[UserDeleted]) -> Sequence[Command]:
    """Whoever has been deleted leaves the e-mail to others, or comes back with it."""
    event = recorded.event
    return [
        ReleaseEmail(
            email_hash=event.email_hash,
            owner_id=event.user_id,
            **asked("release_email", recorded),
        )
    ]


def release_identity(recorded: Recorded[IdentityUnlinked]) -> Sequence[Command]:
    """What has been unlinked lets nobody in, and may be linked by anybody."""
    event = recorded.event
    return [
        ReleaseIdentity(
            subject_hash=event.subject_hash,
            owner_id=event.user_id,
            as_of=event.unlinked_at,
            **asked("release_identity", recorded),
        )
    ]


REACTIONS: tuple[Reaction, ...] = (
    Reaction("confirm_email", (UserRegistered,), confirm_email),
    Reaction("release_email", (UserDeleted,), release_email),
    Reaction("release_identity", (IdentityUnlinked,), release_identity),
)
