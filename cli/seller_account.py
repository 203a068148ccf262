"""`mesh seller-account`: somebody who reads what buyers write to a source of imported listings.

A source, `import:my-dealer`, has an account's id from its first listing on: people write to it
and review it. Here that id is registered, for a person who logs in as the source.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer
import uuid_utils
from pydantic import TypeAdapter, ValidationError

from api.identity.account_fields import Email, Name
from api.identity.registration import RESERVATION
from cli.sending import replies_to
from infra.clients.postgres import open_pool
from infra.credentials.one_time_tokens import OneTimeTokens
from infra.settings import Settings, settings
from infra.vault.vault import PersonErasedError, PersonKey, Vault
from schemas.identity import RegisterUser, ReserveEmail, TokenPurpose
from schemas.listings import seller_account
from schemas.log.messages import Command, Market, Role
from schemas.refusals import told_of
from schemas.values.emails import lookup_form
from schemas.values.texts import Line

SOURCE_LENGTH_MAX = 100

_EMAIL: TypeAdapter[str] = TypeAdapter(Email)
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_SOURCE: TypeAdapter[str] = TypeAdapter(Annotated[str, Line(SOURCE_LENGTH_MAX)])
_OFFERED = "SELECT EXISTS (SELECT FROM reads.listing_page WHERE seller_id = $1)"


class SourceError(Exception):
    """The source can't be registered; the text says what to do."""


def register(app: typer.Typer) -> None:
    """Add this file's command."""
    app.command(name="seller-account")(seller_account_command)


def seller_account_command(
    source: Annotated[
        str, typer.Argument(help="As its listings name their seller: import:my-dealer.")
    ],
    email: Annotated[str, typer.Argument(help="Of whoever answers for it; nobody else's here.")],
    name: Annotated[str, typer.Option(help="By what name it goes.")],
) -> None:
    """Register an account that reads and answers what is written to imported listings."""
    try:
        user_id, offers = asyncio.run(register_source(settings(), source, email, name))
    except SourceError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{source} is {user_id}. A password is set through POST /api/auth/forgot-password.")
    if not offers:
        typer.echo("No listing is offered by it so far: is it spelt as the import has it?")


def _judged(kind: TypeAdapter[str], what: str, text: str) -> str:
    try:
        return kind.validate_python(text)
    except ValidationError as error:
        message = f"The {what} {error.errors()[0]['msg']}"
        raise SourceError(message) from None


async def register_source(
    chosen: Settings, source: str, email: str, name: str
) -> tuple[UUID, bool]:
    """The id of the account, and whether there are listings of it; raises SourceError for what
    is no source, e-mail or name, and for a taken e-mail or source.
    """
    source, email = _judged(_SOURCE, "source", source), _judged(_EMAIL, "e-mail", email)
    name, user_id = _judged(_NAME, "name", name), seller_account(source)
    if str(user_id) == source.lower():
        message = "This seller is a person, who has an account: name a source, import:my-dealer"
        raise SourceError(message)
    async with await open_pool(chosen, size_max=1) as pool:
        vault = Vault(pool, chosen)
        email_hash = vault.wrapping.lookup_hash(lookup_form(email))
        now = datetime.now(UTC)
        by = {"asked_at": now, "asked_by": str(user_id), "asked_role": Role.DEALER}
        until = now + RESERVATION
        await _accepted(
            chosen, ReserveEmail(email_hash=email_hash, owner_id=user_id, until=until, **by)
        )
        # Not before the e-mail is this account's: the vault keeps the first one that it is given.
        try:
            key = await vault.new_person(user_id, email_hash)
        except PersonErasedError:
            message = "The account of this source has been erased, and never comes back"
            raise SourceError(message) from None
        offers = bool(await pool.fetchval(_OFFERED, source))
    token = OneTimeTokens(chosen).derive(
        TokenPurpose.VERIFY_EMAIL, user_id, UUID(str(uuid_utils.uuid7()))
    )
    joins = RegisterUser(
        user_id=user_id,
        **_sealed(key, email, name),
        email_hash=email_hash,
        role=Role.DEALER,
        market=Market.EXOTICS,
        token_id=token.token_id,
        token_hash=token.hash,
        expires_at=now + timedelta(seconds=chosen.verify_email_s),
        **by,
    )
    await _accepted(chosen, joins)
    return user_id, offers


async def _accepted(chosen: Settings, command: Command) -> None:
    (reply,) = await replies_to(chosen, command)
    if reply.outcome != "accepted":
        message = told_of(reply.reason)
        raise SourceError(message)


def _sealed(key: PersonKey, email: str, name: str) -> dict[str, Any]:
    return {"email_sealed": key.seal("email", email), "name_sealed": key.seal("name", name)}
