"""Claims: an e-mail belongs to one person at most."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identity.values import LookupHash
from schemas.log.messages import Command, Event


def email_claim_stream(email_hash: str) -> str:
    """The stream that decides whose an e-mail is."""
    return f"claim/email/{email_hash}"


class _EmailClaimCommand(Command):
    email_hash: LookupHash
    owner_id: UUID

    @property
    def stream_id(self) -> str:
        return email_claim_stream(self.email_hash)


class ReserveEmail(_EmailClaimCommand):
    """Hold an e-mail for somebody who is about to register, until `until`.

    `abandoned` names earlier holders who can be shown never to register any more: their
    registration has been abandoned, in their own stream.
    """

    kind: Literal["email_claim.reserve"] = "email_claim.reserve"
    until: AwareDatetime
    abandoned: Annotated[tuple[UUID, ...], Field(max_length=100)] = ()


class ConfirmEmail(_EmailClaimCommand):
    """The holder has registered: the e-mail is theirs."""

    kind: Literal["email_claim.confirm"] = "email_claim.confirm"


class ReleaseEmail(_EmailClaimCommand):
    """Let go of an e-mail whose owner has been deleted."""

    kind: Literal["email_claim.release"] = "email_claim.release"


EmailClaimCommand: TypeAlias = ReserveEmail | ConfirmEmail | ReleaseEmail


class EmailReserved(Event):
    """An e-mail is held for somebody until `until`."""

    kind: Literal["email_claim.reserved"] = "email_claim.reserved"
    email_hash: LookupHash
    owner_id: UUID
    until: AwareDatetime


class EmailConfirmed(Event):
    """An e-mail is somebody's."""

    kind: Literal["email_claim.confirmed"] = "email_claim.confirmed"
    email_hash: LookupHash
    owner_id: UUID


class EmailReleased(Event):
    """An e-mail is nobody's again."""

    kind: Literal["email_claim.released"] = "email_claim.released"
    email_hash: LookupHash
    owner_id: UUID


EmailClaimEvent: TypeAlias = EmailReserved | EmailConfirmed | EmailReleased
