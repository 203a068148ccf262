"""Identity: who people are and the sessions they hold. No secret and no readable personal
data is ever in a command or event: e-mails and names are sealed with the person's own key.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, StringConstraints

from schemas.messages import Command, Event, Market, Role
from schemas.registry import Upcasters

Sealed = Annotated[str, StringConstraints(max_length=4_000)]  # base64 AES-GCM, see infra.vault
LookupHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]  # HMAC-SHA-256


def user_stream(user_id: UUID | str) -> str:
    """The stream of one person."""
    return f"user/{user_id}"


class RegisterUser(Command):
    """Take a person in; the e-mail's claim has been reserved before."""

    kind: Literal["user.register"] = "user.register"
    user_id: UUID
    email_sealed: Sealed
    email_hash: LookupHash
    name_sealed: Sealed
    role: Role
    market: Market

    @property
    def stream_id(self) -> str:
        """The person's own stream."""
        return user_stream(self.user_id)


IdentityCommand: TypeAlias = RegisterUser


class UserRegistered(Event):
    """A person has joined."""

    kind: Literal["user.registered"] = "user.registered"
    user_id: UUID
    email_sealed: Sealed
    email_hash: LookupHash
    name_sealed: Sealed
    role: Role
    market: Market
    registered_at: AwareDatetime


IdentityEvent: TypeAlias = UserRegistered

UPCASTERS: Upcasters = {}
