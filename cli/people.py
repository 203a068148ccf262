"""`mesh grant-role`: how the first admin comes to be, and anybody's role changes."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from api.backends.database import Database
from api.backends.denylist import Cut, Denylist
from cli.sending import asked, replies_to
from infra.clients.redis import open_redis
from infra.settings import Settings, settings
from infra.vault.vault import Wrapping
from projections.identity import users
from schemas.identity import GrantRole
from schemas.log.messages import Role
from schemas.log.recorded import Reply
from schemas.refusals import told_of
from schemas.values.emails import lookup_form


class PersonRole(StrEnum):
    """A role that a person may have."""

    BUYER = Role.BUYER
    SELLER = Role.SELLER
    DEALER = Role.DEALER
    MODERATOR = Role.MODERATOR
    ADMIN = Role.ADMIN
    OPS = Role.OPS


class PersonError(Exception):
    """The person can't be found or changed; the text says what to do."""


def register(app: typer.Typer) -> None:
    """Add this file's command."""
    app.command(name="grant-role")(grant_role)


def grant_role(
    email: Annotated[str, typer.Argument(help="E-mail of somebody registered.")],
    role: Annotated[PersonRole, typer.Argument(help="The role to give.")],
) -> None:
    """Give a person a role, at once: tokens of the old one are void."""
    try:
        reply = asyncio.run(send_grant(settings(), email, Role(role.value)))
    except PersonError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    changed = "is now" if reply.event_count else "was already"
    typer.echo(f"This person {changed} {role.value}.")


async def send_grant(chosen: Settings, email: str, role: Role) -> Reply:
    """The writer's reply; raises PersonError, and what means an outage."""
    user_id = await _user_id(chosen, email)
    command = GrantRole(user_id=user_id, role=role, **asked("grant-role"))
    (reply,) = await replies_to(chosen, command)
    if reply.outcome != "accepted":
        message = told_of(reply.reason)
        raise PersonError(message)
    await _cut_off(chosen, user_id, reply)
    return reply


async def _cut_off(chosen: Settings, user_id: UUID, reply: Reply) -> None:
    """Void the tokens that tell of the old role. Without Redis the API finds out by itself, as
    soon as the read model knows.
    """
    database, redis = Database(chosen), open_redis(chosen)
    denylist = Denylist(
        redis, database, lifetime_s=chosen.access_token_s, row_wait_s=chosen.read_wait_s
    )
    try:
        await denylist.cut(user_id, Cut(reply.version, reply.version))
    finally:
        await redis.aclose()


async def _user_id(chosen: Settings, email: str) -> UUID:
    email_hash = Wrapping(chosen).lookup_hash(lookup_form(email.strip()))
    database = Database(chosen)
    await database.open()
    try:
        row = await users.by_email(database, email_hash)
    finally:
        await database.close()
    if row is None:
        message = "Nobody is registered with this e-mail."
        raise PersonError(message)
    return UUID(row["key"])
