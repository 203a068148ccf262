"""What a write answers: what it changed, the version that this has now and the place in the log,
the same way in every route.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from starlette.responses import Response

from api.wire.etags import etag_of
from api.wire.successes import NO_STORE, private_json
from schemas.log.positions import format_token
from schemas.log.recorded import Reply


class ChangedAnswer(BaseModel):
    """What was changed, and the version it has now."""

    id: UUID
    version: int


def answer(
    reply: Reply,
    status: int,
    body: Mapping[str, Any] | None = None,
    *,
    location: str | None = None,
) -> Response:
    """The HTTP answer to an accepted command, with its version and its place in the log."""
    headers: dict[str, str] = {}
    if reply.version:
        headers["ETag"] = etag_of(reply.version)
    if reply.position is not None:
        headers["Consistency-Token"] = format_token([reply.position])
    if location is not None:
        headers["Location"] = location
    if body is None:
        return Response(status_code=status, headers={**NO_STORE, **headers})
    return private_json(body, status, headers=headers)


def changed(
    reply: Reply, changed_id: UUID, status: int = 200, *, location: str | None = None, **more: Any
) -> Response:
    """The same with a ChangedAnswer for its body, after what `more` it says."""
    body = {**more, "id": str(changed_id), "version": reply.version}
    return answer(reply, status, body, location=location)
