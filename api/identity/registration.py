"""Taking a person in: an e-mail is claimed first, so that one e-mail is one person, always.

1. a data key in the vault     2. reserve the claim `claim/email/<hash>`
3. the password into the vault 4. register, decided before the reservation ends or never
A reaction then confirms the claim. Dying between any two steps leaves a reservation that
lapses; whoever asks next abandons the unfinished registration for good and takes it over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from api.backends.machines import Machines
from api.entry.auth import Caller
from api.entry.campus import is_campus
from api.entry.commands import CommandSender
from api.identity.login import kept_folded
from api.wire.problems import Problem, accepted
from schemas.identity import AbandonRegistration, RegisterUser, ReserveEmail, TokenPurpose
from schemas.log.messages import Fault, Language, Market, Role
from schemas.log.recorded import Reply
from schemas.values.emails import lookup_form

RESERVATION = timedelta(seconds=60)
API = "api"  # asks for what no person asks for


@dataclass(frozen=True)
class Newcomer:
    """Who wants to join; `email` is as typed, in its one form. Without a password they log in elsewhere, or
    set one by mail.
    """

    email: str
    password: str | None
    name: str
    role: Role
    market: Market
    language: Language = Language.ENGLISH
    email_verified: bool = False

    @property
    def campus_domain(self) -> str | None:
        """What names the campus: the part after the @, in lower case."""
        if self.market is not Market.CAMPUS:
            return None
        return self.email.rpartition("@")[2].lower()


async def register(
    mesh: Machines, sending: CommandSender, newcomer: Newcomer, user_id: UUID | None = None
) -> tuple[UUID, Reply]:
    """The new person's id and the writer's reply; raises a 409 problem for a taken e-mail, 422
    where an e-mail belongs to no campus.

    `user_id`: the id that they are to have, which may be registered by somebody else meanwhile.
    """
    domain = newcomer.campus_domain
    if domain is not None and not is_campus(mesh.settings.campus_domains, domain):
        raise _campus_unknown()
    ours_alone = user_id is None
    user_id = user_id or sending.new_id("user")
    email_hash = mesh.vault.wrapping.lookup_hash(lookup_form(newcomer.email))
    sending = replace(sending, caller=Caller(user_id=str(user_id), role=newcomer.role))
    until = sending.asked_at + RESERVATION
    if await kept_folded(mesh, newcomer.email) is not None:
        raise _email_taken()
    # Hashing is refused when too many wait for it, and must have taken nothing then.
    hashed = newcomer.password and await mesh.passwords.hash(newcomer.password)
    key = await mesh.vault.new_person(user_id, email_hash)
    await _reserve(
        mesh,
        sending,
        ReserveEmail(email_hash=email_hash, owner_id=user_id, until=until, **sending.asked),
        ours_alone=ours_alone,
    )
    if hashed is not None:
        await mesh.vault.first_password(user_id, hashed)
    proof = mesh.one_time_tokens.derive(
        TokenPurpose.VERIFY_EMAIL, user_id, sending.new_id("verification")
    )
    reply = await sending.send(
        RegisterUser(
            user_id=user_id,
            email_sealed=key.seal("email", newcomer.email),
            email_as_typed=True,
            email_hash=email_hash,
            email_domain=domain,
            name_sealed=key.seal("name", newcomer.name),
            role=newcomer.role,
            market=newcomer.market,
            language=newcomer.language,
            email_verified=newcomer.email_verified,
            token_id=proof.token_id,
            token_hash=proof.hash,
            expires_at=sending.asked_at + timedelta(seconds=mesh.settings.verify_email_s),
            **sending.asked,
        ),
        deadline=until,
    )
    return user_id, reply


async def _reserve(
    mesh: Machines, sending: CommandSender, command: ReserveEmail, *, ours_alone: bool
) -> None:
    reply = await sending.reply_to(command, step="reserve")
    if reply.reason == "email_reservation_lapsed":
        abandoned = await _abandon_others(mesh, sending, command)
        again = command.model_copy(update={"abandoned": abandoned})
        reply = await sending.reply_to(again, step="reserve again")
    if reply.reason == "email_taken":
        if ours_alone:
            # This id holds no claim, so it never registers: its key would only be in the way.
            await mesh.vault.forget_newcomer(command.owner_id)
        raise _email_taken()
    accepted(reply)


async def _abandon_others(
    mesh: Machines, sending: CommandSender, command: ReserveEmail
) -> tuple[UUID, ...]:
    """Everyone else who began with this e-mail, now sure never to finish."""
    found = await mesh.vault.people_with_email(command.email_hash)
    others = tuple(each for each in found if each != command.owner_id)
    system = replace(sending, caller=Caller(user_id=API, role=Role.SYSTEM))
    for other in others:
        reply = await system.reply_to(
            AbandonRegistration(user_id=other, **system.asked), step=f"abandon {other}"
        )
        if reply.reason == "already_registered":
            raise _email_taken()
        accepted(reply)
    return others


def _campus_unknown() -> Problem:
    fault = Fault(pointer="/email", detail="is of no campus here: take your university's address")
    return Problem(422, "campus_unknown", "The e-mail says which campus is yours", faults=[fault])


def _email_taken() -> Problem:
    fault = Fault(pointer="/email", detail="is registered already: log in, or take another")
    return Problem(409, "email_taken", "Somebody has this e-mail already", faults=[fault])
