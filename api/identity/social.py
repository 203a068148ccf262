"""Logging in through a provider: whose an identity is, who joins with it, who links it.

The claim `identity_claim/<hash>` decides whom an identity lets in, so twenty callbacks at once
lead to one person: the first claims it for an id, and all of them register that same id, which
works once. An account is never taken over by its e-mail: whoever has one logs in and links.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from api.backends.machines import Machines
from api.entry.auth import Caller
from api.entry.commands import CommandSender
from api.entry.consistency import CaughtUp, awaited_row
from api.identity.account_fields import Email
from api.identity.login import API, LoggedIn, start_session
from api.identity.people import Row, settled_row, unsealed
from api.identity.registration import Newcomer, register
from api.wire.problems import Problem, refusal, unavailable
from infra.oidc import Identity
from projections.identity import identities, users
from schemas.identity import (
    AbandonRegistration,
    ClaimIdentity,
    LinkIdentity,
    ReleaseIdentity,
    UnlinkIdentity,
    UserStatus,
)
from schemas.log.messages import Language, Market, Role
from schemas.log.recorded import Reply
from schemas.values.texts import shown_of

NOBODYS = "0" * 64  # the identity in a command that only asks for what was said before
TRIES = 3  # an owner who is gone makes room for another
NAME_LENGTH_MAX = 100
IDENTITIES = CaughtUp(identities.identities)
PEOPLE = CaughtUp(users.users)

_EMAIL: TypeAdapter[str] = TypeAdapter(Email)


@dataclass(frozen=True)
class Arrival:
    """Somebody whom a provider has let in, and the request that says so."""

    mesh: Machines
    sending: CommandSender
    provider: str
    identity: Identity

    @property
    def subject_hash(self) -> str:
        """The identity as the log knows it: nobody reads a subject out of it."""
        return self.mesh.vault.wrapping.lookup_hash(
            f"identity\n{self.provider}\n{self.identity.issuer}\n{self.identity.subject}"
        )

    def again(self) -> Arrival:
        """The same with commands of their own."""
        return replace(self, sending=self.sending.fresh())

    @property
    def ours(self) -> CommandSender:
        """For what the API itself asks for."""
        return replace(self.sending, caller=API)

    def as_person(self, user_id: UUID) -> CommandSender:
        """For what they ask for themselves."""
        return replace(self.sending, caller=Caller(user_id=str(user_id), role=Role.BUYER))


async def sign_in(arrival: Arrival, market: Market, language: Language) -> LoggedIn:
    """Tokens for whomever the identity lets in; somebody new joins first."""
    newcomer = _newcomer(arrival.identity, market, language)
    for _ in range(TRIES):
        owner_id = await _owner(arrival)
        row = await users.by_id(arrival.mesh.postgres, str(owner_id))
        if row is None:
            row = await _join(arrival, owner_id, newcomer)
        if row is not None and row["status"] != UserStatus.DELETED:
            return await _enter(arrival, row)
        await _release(arrival, owner_id)
        arrival = arrival.again()
    raise unavailable("identity_busy", "This log-in is changing hands; try again soon")


def _newcomer(identity: Identity, market: Market, language: Language) -> Newcomer:
    try:
        email = _EMAIL.validate_python(identity.email)
    except ValidationError:
        raise Problem(
            422, "email_missing", "Let the provider tell us your e-mail, or register with one"
        ) from None
    return Newcomer(
        email=email,
        password=None,
        name=shown_of(identity.name, NAME_LENGTH_MAX) or email.partition("@")[0][:NAME_LENGTH_MAX],
        role=Role.BUYER,
        market=market,
        language=language,
        email_verified=identity.email_verified,
    )


async def _owner(arrival: Arrival) -> UUID:
    """Whom the identity lets in, from now on at the latest."""
    found = await identities.by_subject(arrival.mesh.postgres, arrival.subject_hash)
    if found is not None:
        return UUID(found["owner_id"])
    wanted = arrival.sending.new_id("user")
    reply = await _claim(arrival, wanted)
    if reply.outcome == "accepted":
        await _until_seen(arrival.mesh, reply)
        return wanted
    return UUID((await _taken_by(arrival, reply))["owner_id"])


async def _taken_by(arrival: Arrival, reply: Reply) -> Row:
    if reply.reason != "identity_taken":
        raise refusal(reply)
    return await awaited_row(
        arrival.mesh,
        lambda: identities.by_subject(arrival.mesh.postgres, arrival.subject_hash),
        "identities",
    )


async def _claim(arrival: Arrival, owner_id: UUID, step: str = "claim identity") -> Reply:
    return await arrival.ours.reply_to(
        ClaimIdentity(
            subject_hash=arrival.subject_hash,
            owner_id=owner_id,
            provider=arrival.provider,
            **arrival.ours.asked,
        ),
        step=step,
    )


async def _release(arrival: Arrival, owner_id: UUID, step: str = "release identity") -> None:
    await release(arrival.mesh, arrival.sending, arrival.subject_hash, owner_id, step)


async def release(
    mesh: Machines, sending: CommandSender, subject_hash: str, owner_id: UUID, step: str
) -> None:
    """Let an identity go; when this returns, it lets nobody in any more."""
    ours = replace(sending, caller=API)
    reply = await ours.send(
        ReleaseIdentity(
            subject_hash=subject_hash, owner_id=owner_id, as_of=sending.asked_at, **ours.asked
        ),
        step=step,
    )
    await _until_seen(mesh, reply)


async def _until_seen(mesh: Machines, reply: Reply) -> None:
    """Wait, so that whoever looks, logs in or unlinks right after this finds it done."""
    if reply.position is not None:
        await IDENTITIES.reach(mesh, [reply.position])


async def _join(arrival: Arrival, owner_id: UUID, newcomer: Newcomer) -> Row | None:
    """The row of somebody who has just joined, by this request or another; None when nobody
    ever will under this id.
    """
    try:
        await register(arrival.mesh, arrival.sending, newcomer, owner_id)
    except Problem as problem:
        if problem.reason == "email_taken":
            await _release(arrival, owner_id)
            raise _account_exists() from None
        if problem.reason == "registration_abandoned":
            return None
        if problem.reason != "already_registered":
            raise
    else:
        reply = await _note_link(arrival, owner_id)
        if reply.position is not None:
            # Registering is two facts, of which the row may show the first alone for a moment;
            # the link is the fact after both.
            await PEOPLE.reach(arrival.mesh, [reply.position])
    return await awaited_row(
        arrival.mesh, lambda: users.by_id(arrival.mesh.postgres, str(owner_id)), "users"
    )


async def _note_link(arrival: Arrival, user_id: UUID) -> Reply:
    person = arrival.as_person(user_id)
    return await person.send(
        LinkIdentity(
            user_id=user_id,
            provider=arrival.provider,
            subject_hash=arrival.subject_hash,
            **person.asked,
        ),
        step="link identity",
    )


async def _enter(arrival: Arrival, row: Row) -> LoggedIn:
    person = await unsealed(arrival.mesh, await settled_row(arrival.mesh, row))
    if person is None:
        raise Problem(403, "account_closed", "This account is no longer there")
    # Its own id: under that of the registration it would be answered with that one's reply.
    sending = arrival.sending.fresh()
    return await start_session(arrival.mesh, sending, sending.new_id("session"), person)


def _account_exists() -> Problem:
    return Problem(
        409,
        "account_exists",
        "There is an account with this e-mail: log in as you did before, then link this log-in",
    )


async def link(arrival: Arrival, user_id: UUID) -> Reply:
    """Let the identity log this person in, too; raises a 409 problem when it is another's."""
    reply = await _claim(arrival, user_id)
    if reply.outcome != "accepted":
        holder = UUID((await _taken_by(arrival, reply))["owner_id"])
        await _require_gone(arrival, holder)
        await _release(arrival, holder)
        reply = await _claim(arrival, user_id, "claim identity again")
        if reply.outcome != "accepted":
            raise _identity_taken()
    try:
        linked = await _note_link(arrival, user_id)
    except Problem:
        await _release(arrival, user_id, "release unlinked")
        raise
    await _until_seen(arrival.mesh, reply)
    return linked


async def _require_gone(arrival: Arrival, holder: UUID) -> None:
    """Rule out that a holder who never joined still does; somebody's identity stays theirs."""
    reply = await arrival.ours.reply_to(
        AbandonRegistration(user_id=holder, **arrival.ours.asked), step="abandon holder"
    )
    if reply.outcome != "accepted":
        raise _identity_taken()


def _identity_taken() -> Problem:
    return Problem(
        409, "identity_taken", "This log-in is another account's: unlink it there, or log in there"
    )


async def unlink(mesh: Machines, sending: CommandSender, provider: str) -> Reply:
    """Let this provider log the caller in no more; raises a 404 problem when it never did, a
    409 problem when it is the last way to log in.
    """
    user_id = UUID(sending.caller.user_id)
    rows = await identities.of_owner(mesh.postgres, str(user_id))
    linked = [row["key"] for row in rows if row["provider"] == provider]
    has_password = await _has_password(mesh, user_id)

    def unlinking(subject_hash: str) -> UnlinkIdentity:
        return UnlinkIdentity(
            user_id=user_id,
            provider=provider,
            subject_hash=subject_hash,
            has_password=has_password,
            **sending.asked,
        )

    if not linked:
        unknown = Problem(404, "identity_unknown", "No log-in of this provider is linked")
        return await sending.send(unlinking(NOBODYS), unless=unknown)
    for subject_hash in linked:
        # The last under the request's own id, by which a repeat finds that all is done.
        step = "" if subject_hash == linked[-1] else f"unlink {subject_hash}"
        reply = await sending.send(unlinking(subject_hash), step=step)
        # A reaction does the same; here so that it holds when the answer goes out.
        await release(mesh, sending, subject_hash, user_id, f"release {subject_hash}")
    return reply


async def _has_password(mesh: Machines, user_id: UUID) -> bool:
    row = await awaited_row(mesh, lambda: users.by_id(mesh.postgres, str(user_id)), "users")
    change = row["credential_change"]
    stored = await mesh.password_changes.current_hash(
        user_id, change and UUID(change), row["credential_version"]
    )
    return stored is not None
