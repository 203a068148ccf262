"""Proving an e-mail, and setting another password, by a token from the mailbox or by the old one.

What is asked by somebody unknown takes the same steps for everybody: nobody learns here whether
an e-mail is known.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from uuid import UUID, uuid4, uuid5

import structlog

from api.commands import KEYS_NAMESPACE, CommandSender
from api.ending import cut_off
from api.login import API, kept_folded, password_is
from api.machines import Machines
from api.people import Row, awaited_row, settled_row
from api.problems import Problem, refusal
from infra.vault import VaultUnavailableError
from projections.identity import users, verification_tokens
from schemas.emails import lookup_form
from schemas.identity import (
    ChangePassword,
    RequestEmailVerification,
    RequestPasswordReset,
    ResetPassword,
    TokenPurpose,
    VerifyEmail,
)
from schemas.messages import Fault
from schemas.recorded import Reply

TOKEN_WAIT_S = 1.0  # a mail may be quicker than the read model
TOKEN_POLL_S = 0.02

log = structlog.get_logger()


@dataclass(frozen=True)
class Shown:
    """A token from a mailbox, proved to be one of ours, and whose it is."""

    user_id: UUID
    token_id: UUID
    token_hash: str


async def verify_email(mesh: Machines, sending: CommandSender, text: str) -> Reply:
    """Prove the e-mail that the token went to; raises a 410 problem for any other."""
    shown = await _shown(mesh, TokenPurpose.VERIFY_EMAIL, text)
    system = replace(sending, caller=API)
    reply = await system.reply_to(
        VerifyEmail(
            user_id=shown.user_id,
            token_id=shown.token_id,
            token_hash=shown.token_hash,
            **system.asked,
        )
    )
    return _taken(reply)


async def request_verification(mesh: Machines, sending: CommandSender) -> Reply:
    """Have the mail sent again that proves the caller's e-mail."""
    user_id = UUID(sending.caller.user_id)
    token = mesh.one_time_tokens.derive(
        TokenPurpose.VERIFY_EMAIL, user_id, sending.new_id("verification")
    )
    return await sending.send(
        RequestEmailVerification(
            user_id=user_id,
            token_id=token.token_id,
            token_hash=token.hash,
            expires_at=sending.asked_at + timedelta(seconds=mesh.settings.verify_email_s),
            **sending.asked,
        )
    )


async def request_reset(mesh: Machines, sending: CommandSender, email: str) -> None:
    """Have a mail sent that lets its reader set another password, if somebody has this e-mail.

    Nobody having it sends the same command, about a person who does not exist.
    """
    email_hash = mesh.vault.wrapping.lookup_hash(lookup_form(email))
    row = await users.by_email(mesh.postgres, email_hash) or await kept_folded(mesh, email)
    user_id = uuid5(KEYS_NAMESPACE, email_hash) if row is None else UUID(row["key"])
    token = mesh.one_time_tokens.derive(TokenPurpose.RESET_PASSWORD, user_id, uuid4())
    system = replace(sending, caller=API)
    # A refusal is an answer like any other here: 202, and no mail.
    await system.reply_to(
        RequestPasswordReset(
            user_id=user_id,
            token_id=token.token_id,
            token_hash=token.hash,
            expires_at=system.asked_at + timedelta(seconds=mesh.settings.reset_password_s),
            **system.asked,
        )
    )


async def reset_password(mesh: Machines, sending: CommandSender, text: str, password: str) -> Reply:
    """Set another password and end every session; raises a 410 problem for any token but the
    one that is out.
    """
    shown = await _shown(mesh, TokenPurpose.RESET_PASSWORD, text)
    change_id = await _waiting(mesh, shown.user_id, password)
    system = replace(sending, caller=API)
    reply = await system.reply_to(
        ResetPassword(
            user_id=shown.user_id,
            change_id=change_id,
            token_id=shown.token_id,
            token_hash=shown.token_hash,
            **system.asked,
        )
    )
    if reply.outcome != "accepted":
        await mesh.password_changes.drop(change_id)
    reply = _taken(reply)
    await _apply(mesh, shown.user_id, change_id, reply)
    await cut_off(mesh, shown.user_id, reply)
    return reply


async def change_password(
    mesh: Machines, sending: CommandSender, current: str, following: str
) -> Reply:
    """Set another password and end every session but the caller's; raises a 403 problem unless
    the current one is right.
    """
    caller = sending.caller
    user_id = UUID(caller.user_id)
    row = await awaited_row(mesh, lambda: users.by_id(mesh.postgres, caller.user_id), "users")
    if not await password_is(mesh, await settled_row(mesh, row), current):
        fault = Fault(pointer="/current_password", detail="is not your password")
        raise Problem(403, "password_wrong", "Your password is another", faults=[fault])
    change_id = await _waiting(mesh, user_id, following)
    reply = await sending.reply_to(
        ChangePassword(
            user_id=user_id,
            change_id=change_id,
            session_id=UUID(caller.session_id),
            user_version=caller.user_version,
            **sending.asked,
        )
    )
    if reply.outcome != "accepted":
        await mesh.password_changes.drop(change_id)
    reply = _accepted(reply)
    await _apply(mesh, user_id, change_id, reply)
    await cut_off(mesh, user_id, reply, kept=caller)
    return reply


async def _waiting(mesh: Machines, user_id: UUID, password: str) -> UUID:
    """The id of a change whose hash waits in the vault."""
    change_id = uuid4()
    password_hash = await mesh.passwords.hash(password)
    if not await mesh.password_changes.wait(change_id, user_id, password_hash):
        raise Problem(409, "user_deleted", "This account is no longer there")
    return change_id


async def _apply(mesh: Machines, user_id: UUID, change_id: UUID, reply: Reply) -> None:
    """The change has happened. If the vault is away just now, the next log-in applies it."""
    try:
        await mesh.password_changes.apply(change_id, user_id, reply.version)
    except VaultUnavailableError:
        log.warning("password_change_waits")


async def _shown(mesh: Machines, purpose: TokenPurpose, text: str) -> Shown:
    token_id = mesh.one_time_tokens.id_in(text)
    row = None if token_id is None else await _row_of(mesh, token_id)
    if row is None or token_id is None or row["type"] != purpose:
        raise _spent("token_spent")
    user_id = UUID(row["user_id"])
    if not mesh.one_time_tokens.matches(text, purpose, user_id):
        raise _spent("token_spent")
    return Shown(user_id, token_id, row["token"])


async def _row_of(mesh: Machines, token_id: UUID) -> Row | None:
    deadline = time.monotonic() + TOKEN_WAIT_S
    while True:
        row = await verification_tokens.by_token_id(mesh.postgres, str(token_id))
        if row is not None or time.monotonic() > deadline:
            return row
        await asyncio.sleep(TOKEN_POLL_S)


def _taken(reply: Reply) -> Reply:
    if reply.status == HTTPStatus.GONE:
        raise _spent(reply.reason)
    return _accepted(reply)


def _accepted(reply: Reply) -> Reply:
    if reply.outcome != "accepted":
        raise refusal(reply)
    return reply


def _spent(reason: str) -> Problem:
    fault = Fault(pointer="/token", detail="ask for another mail and take the link in that")
    detail = "This link has been used, has lapsed, or a newer one has taken its place"
    return Problem(410, reason, detail, faults=[fault])
