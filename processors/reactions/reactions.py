"""Every reaction: which event leads to which commands. Pure; the reactor sends them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from processors.reactions.commands import following
from processors.reactions.effects import Tools
from processors.reactions.handlers import Handler
from schemas.identity import (
    ConfirmEmail,
    IdentityUnlinked,
    ReleaseEmail,
    ReleaseIdentity,
    UserDeleted,
    UserRegistered,
    user_stream,
)
from schemas.items import (
    AddItemImage,
    FailItemImage,
    ImageVariants,
    ItemDeleted,
    RemoveItemImage,
)
from schemas.media import DeleteMedia, MediaDeleted, MediaFailed, MediaProcessed, VariantName
from schemas.messages import Command, Role, category_of
from schemas.recorded import CommandEnvelope, Recorded
from schemas.wallet import SIGNUP_TOKENS, CreditReason, GrantTokens


@dataclass(frozen=True)
class Reaction(Handler):
    """The commands that follow from the events it hears. Asking twice is asking once, so its
    positions are kept seldom.
    """

    react: Callable[[Recorded[Any]], Sequence[Command]]
    within: ClassVar[timedelta | None] = None
    repeatable: ClassVar[bool] = True

    def envelopes(self, recorded: Recorded[Any]) -> list[CommandEnvelope]:
        """The commands, with ids that are the same whenever the event is heard again."""
        return following(self.name, recorded, self.react(recorded))

    async def run(self, recorded: Recorded[Any], tools: Tools) -> None:
        """Return when the broker has them."""
        await tools.commands.hand_over(self.envelopes(recorded))


def _asked(reaction: str, recorded: Recorded[Any]) -> dict[str, Any]:
    """The fields that every command of a reaction has: asked when and because it was recorded."""
    return {
        "asked_at": recorded.recorded_at,
        "asked_by": f"reaction/{reaction}",
        "asked_role": Role.SYSTEM,
    }


def confirm_email(recorded: Recorded[UserRegistered]) -> Sequence[Command]:
    """Whoever has registered keeps the e-mail that was reserved for them."""
    event = recorded.event
    return [
        ConfirmEmail(
            email_hash=event.email_hash,
            owner_id=event.user_id,
            **_asked("confirm_email", recorded),
        )
    ]


def release_email(recorded: Recorded[UserDeleted]) -> Sequence[Command]:
    """Whoever has been deleted leaves the e-mail to others, or comes back with it."""
    event = recorded.event
    return [
        ReleaseEmail(
            email_hash=event.email_hash,
            owner_id=event.user_id,
            **_asked("release_email", recorded),
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
            **_asked("release_identity", recorded),
        )
    ]


def grant_signup_tokens(recorded: Recorded[UserRegistered]) -> Sequence[Command]:
    """Whoever joins a market that counts in tokens has some to begin with."""
    event = recorded.event
    amount = SIGNUP_TOKENS.get(event.market)
    if amount is None:
        return []
    return [
        GrantTokens(
            user_id=event.user_id,
            amount=amount,
            reason=CreditReason.SIGNUP,
            reference=user_stream(event.user_id),
            **_asked("grant_signup_tokens", recorded),
        )
    ]


def show_item_image(
    recorded: Recorded[MediaProcessed | MediaFailed | MediaDeleted],
) -> Sequence[Command]:
    """An item learns what has become of its images; other pictures are none of its business."""
    event = recorded.event
    item_id = _item_of(event.subject)
    if item_id is None:
        return []
    asked = {
        "item_id": item_id,
        "media_id": event.media_id,
        **_asked("show_item_image", recorded),
    }
    match event:
        case MediaProcessed(variants=variants):
            keys = {each.name: each.key for each in variants}
            shown = ImageVariants(
                thumbnail=keys[VariantName.THUMBNAIL],
                medium=keys[VariantName.MEDIUM],
                large=keys[VariantName.LARGE],
            )
            return [AddItemImage(variants=shown, **asked)]
        case MediaFailed():
            return [FailItemImage(**asked)]
        case MediaDeleted():
            return [RemoveItemImage(**asked)]


def _item_of(subject: str | None) -> UUID | None:
    """The item that a picture is for; None where it is for something else, or for no id."""
    if subject is None or category_of(subject) != "item":
        return None
    try:
        return UUID(subject.partition("/")[2])
    except ValueError:
        return None


def delete_item_images(recorded: Recorded[ItemDeleted]) -> Sequence[Command]:
    """With an item its pictures go."""
    return [
        DeleteMedia(media_id=media_id, **_asked("delete_item_images", recorded))
        for media_id in recorded.event.images
    ]


REACTIONS: tuple[Reaction, ...] = (
    Reaction("confirm_email", (UserRegistered,), confirm_email),
    Reaction("release_email", (UserDeleted,), release_email),
    Reaction("release_identity", (IdentityUnlinked,), release_identity),
    Reaction("grant_signup_tokens", (UserRegistered,), grant_signup_tokens),
    Reaction("show_item_image", (MediaProcessed, MediaFailed, MediaDeleted), show_item_image),
    Reaction("delete_item_images", (ItemDeleted,), delete_item_images),
)
