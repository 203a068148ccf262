"""Claims on identities: whoever a provider knows under one subject is one person here at most.

The claim says whom a provider's log-in lets in. That the person has linked it, and may unlink
it, is told in the person's own stream.
"""

from __future__ import annotations

from typing import Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime

from schemas.identity.values import LookupHash, Provider
from schemas.log.messages import Command, Event


def identity_claim_stream(subject_hash: str) -> str:
    """The stream that decides whose a provider's identity is."""
    return f"identity_claim/{subject_hash}"


class _IdentityClaimCommand(Command):
    subject_hash: LookupHash  # of provider, issuer and subject together
    owner_id: UUID

    @property
    def stream_id(self) -> str:
        return identity_claim_stream(self.subject_hash)


class ClaimIdentity(_IdentityClaimCommand):
    """Let an identity be somebody's, who may not have joined yet."""

    kind: Literal["identity_claim.take"] = "identity_claim.take"
    provider: Provider


class ReleaseIdentity(_IdentityClaimCommand):
    """Let go of an identity that was unlinked at `as_of`; one claimed anew since stays."""

    kind: Literal["identity_claim.release"] = "identity_claim.release"
    as_of: AwareDatetime


IdentityClaimCommand: TypeAlias = ClaimIdentity | ReleaseIdentity


class IdentityClaimed(Event):
    """An identity is somebody's."""

    kind: Literal["identity_claim.taken"] = "identity_claim.taken"
    subject_hash: LookupHash
    owner_id: UUID
    provider: Provider
    claimed_at: AwareDatetime


class IdentityReleased(Event):
    """An identity is nobody's again."""

    kind: Literal["identity_claim.released"] = "identity_claim.released"
    subject_hash: LookupHash
    owner_id: UUID
    released_at: AwareDatetime


IdentityClaimEvent: TypeAlias = IdentityClaimed | IdentityReleased
