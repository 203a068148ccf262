"""Share links over HTTP, the same way for whatever is shared: how one is asked for and answered, and
what it opens. A context adds the address, the command and its read model (projections.sharing).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.backends.machines import Machines, machines_of
from api.backends.share_links import TEXT_LENGTH, LinkText, link_text
from api.backends.withheld import BeingRepaired
from api.entry.auth import Caller
from api.entry.commands import CommandSender
from api.entry.consistency import CaughtUp
from api.entry.repeats import first_event_of
from api.wire.changes import answer
from api.wire.forms import Body
from api.wire.problems import Problem
from api.wire.successes import private_json
from projections import sharing
from projections.projection import Projection
from schemas.log.recorded import Reply
from schemas.sharing import LINK_HOURS_DEFAULT, LINK_HOURS_MAX, Share, Unshare
from schemas.values.numbers import NUMBER

TokenInPath = Annotated[
    str, Path(description="What stands in the link", examples=["q1nJ0X…"], max_length=200)
]
# Whoever finds the address of a link in some page's markup is no search engine.
UNLISTED: Final = {"X-Robots-Tag": "noindex"}


class NewShare(Body):
    """How long the link shall show something; left out: 30 days."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"hours": 168}]})

    hours: Annotated[int, Field(ge=1, le=LINK_HOURS_MAX), NUMBER] = LINK_HOURS_DEFAULT


class ShareAnswer(BaseModel):
    """A link, without its text."""

    id: UUID
    shared_at: AwareDatetime
    expires_at: AwareDatetime


class NewShareAnswer(ShareAnswer):
    """A link with its text, which is never shown again."""

    token: str
    url: str


class SharesAnswer(BaseModel):
    """Links that show something, the last opened first."""

    items: list[ShareAnswer]


SHARE: Final[dict[str, Any]] = {
    "id": "01980000-0000-7000-8000-000000000005",
    "shared_at": "2026-03-01T12:00:00Z",
    "expires_at": "2026-03-31T12:00:00Z",
}


@dataclass(frozen=True)
class Links:
    """The links to one kind of thing: their read model, the page of the frontend that shows what
    they open, and the API's own address for it. `shows` is whose row, by the owner's id, is shown.
    """

    projection: Projection[Any]
    shows: Projection[Any]
    page: str
    path: str

    @property
    def _reading(self) -> CaughtUp:
        return CaughtUp(self.projection)

    async def open(
        self, sending: CommandSender, kind: Callable[..., Share], body: NewShare | None
    ) -> Response:
        """Open a link of the caller's, and tell its text, once."""
        mesh, share_id = sending.way.machines, sending.new_id("share")
        link = link_text(mesh.settings, share_id, repeatable=sending.key is not None)
        command = kind(
            share_id=share_id,
            user_id=UUID(sending.caller.user_id),
            token_hash=link.hash,
            expires_at=sending.asked_at + timedelta(hours=(body or NewShare()).hours),
            **sending.asked,
        )
        reply = await sending.send(command)
        return answer(reply, 201, await self._told(mesh, command, link, reply))

    async def revoke(
        self, sending: CommandSender, kind: Callable[..., Unshare], share_id: UUID
    ) -> Response:
        """Revoke a link of the caller's; once this has answered it shows nothing."""
        user_id = UUID(sending.caller.user_id)
        reply = await sending.send(kind(share_id=share_id, user_id=user_id, **sending.asked))
        await self._everywhere(sending.way.machines, reply)
        return answer(reply, 204)

    async def listed(self, request: Request, caller: Caller) -> Response:
        """The caller's links that show something, never their texts."""
        await self._reading.wait(request)
        postgres = machines_of(request).postgres
        rows = await sharing.open_of(postgres, self.projection, caller.user_id, datetime.now(UTC))
        told = [
            {"id": row["share_id"], "shared_at": row["shared_at"], "expires_at": row["expires_at"]}
            for row in rows
        ]
        return private_json({"items": told})

    async def _told(
        self, mesh: Machines, command: Share, link: LinkText, reply: Reply
    ) -> dict[str, Any]:
        """What is answered to whoever has opened a link; a repeat is told of the first time."""
        first = await first_event_of(mesh, reply)
        return {
            "id": str(command.share_id),
            "shared_at": command.asked_at if first is None else first.shared_at,
            "expires_at": command.expires_at if first is None else first.expires_at,
            "token": link.text,
            "url": self._url(mesh, link),
        }

    def _url(self, mesh: Machines, link: LinkText) -> str:
        """Behind the #, which browsers send to no server, where a frontend shows the page."""
        frontend = mesh.settings.frontend_url.rstrip("/")
        if frontend:
            return f"{frontend}/{self.page}#token={link.text}"
        return f"{mesh.settings.public_url.rstrip('/')}{self.path}/{link.text}"

    async def _everywhere(self, mesh: Machines, reply: Reply) -> None:
        """Return once every API process knows: they all ask the same read model. A link that waits
        to be mended shows nothing.
        """
        if reply.position is not None:
            with suppress(BeingRepaired):
                await self._reading.reach(mesh, [reply.position])

    async def opened(self, mesh: Machines, token: str) -> Opened:
        """Whose thing the link shows; raises a 404 problem for a text that is of no link, a 410
        problem for a link that has expired or was revoked, or whose owner others do not see, and
        BeingRepaired where what it shows, or any link that might be it, is withheld.
        """
        row = None
        if len(token) == TEXT_LENGTH:
            row = await sharing.by_hash(mesh.postgres, self.projection, LinkText(token).hash)
        if row is None:
            waiting = await mesh.withheld.any_of(self.projection.name)
            raise waiting or Problem(404, "share_unknown", "There is no such link")
        ended = row["revoked"] or row["expires_at"] <= datetime.now(UTC)
        if ended or not row["owner_is_here"]:
            raise share_ended()
        if waiting := await mesh.withheld.of(self.shows.name, row["user_id"], why=False):
            raise waiting
        return Opened(row["share_id"], UUID(row["user_id"]), row["expires_at"])


@dataclass(frozen=True)
class Opened:
    """A link, whose thing it shows, and until when."""

    share_id: str
    owner_id: UUID
    expires_at: datetime


def share_ended() -> Problem:
    """The answer about a link that shows nothing any more; why is nobody's business."""
    return Problem(410, "share_ended", "This link shows nothing any more")
