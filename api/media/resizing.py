"""Pictures in other sizes and formats, drawn when somebody first asks and then kept beside the picture
(ADR 0044). Addresses are signed, so that nobody has more drawn than we tell of.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.backends.rate_limits import spend
from api.entry.commands import keyed
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import ANYONE, UNLIMITED, Door
from api.entry.pictures import answer_of, url_of
from api.entry.routing import new_router
from api.wire.problems import Problem, invalid, problem_responses, unavailable
from infra.pictures import PictureFormat
from infra.settings import Settings
from projections.identity.users import users
from projections.media import media_files
from projections.media.media_files import MediaStatus
from schemas.log.messages import Fault
from schemas.media import VariantName, media_folder
from schemas.values.texts import Form

PATH: Final = "/api/functions/image-resize"
# Width and height in pixels; a picture fits inside and is never enlarged.
SIZES: Final = ((96, 96), (160, 120), (320, 240), (480, 360), (640, 480), (1024, 768))
DRAWING_TIMEOUT_S = 5.0
FILES = CaughtUp(users, media_files.media_files)

_SIDES = ", ".join(f"{width}x{height}" for width, height in SIZES)

router = new_router("media")


def _side(sides: Iterable[int]) -> Any:
    """A width or a height; that the two fit together is judged by the route."""
    known = sorted(set(sides))
    return Query(ge=1, le=10_000, json_schema_extra={"enum": known}, examples=[known[2]])


Width = Annotated[int, _side(width for width, _ in SIZES)]
Height = Annotated[int, _side(height for _, height in SIZES)]
Signature = Annotated[
    str, Form(r"^[0-9a-f]{32}$", "is no signature of ours"), Query(examples=["0" * 32])
]


class ResizedAnswer(BaseModel):
    """A picture in one more size and format: it fits inside width and height."""

    url: str
    width: int
    height: int
    format: PictureFormat


def resized_of(settings: Settings, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where a picture is shown in every other size and format, from a row of media_files; nowhere
    until it is drawn.
    """
    if row["status"] != MediaStatus.PROCESSED:
        return []
    media_id = row["key"]
    return [
        {
            "url": _address(settings, media_id, width, height, form),
            "width": width,
            "height": height,
            "format": form,
        }
        for width, height in SIZES
        for form in PictureFormat
    ]


def _address(
    settings: Settings, media_id: str, width: int, height: int, form: PictureFormat
) -> str:
    sig = signature_of(settings, media_id, width, height, form)
    query = {"media": media_id, "w": width, "h": height, "fmt": form.value, "sig": sig}
    return url_of(f"{PATH.removeprefix('/api/')}?{urlencode(query)}")


def signature_of(
    settings: Settings, media_id: str, width: int, height: int, form: PictureFormat
) -> str:
    """What nobody else can write below such an address: 128 bits."""
    told = f"{PATH}\n{media_id}\n{width}\n{height}\n{form.value}"
    return keyed(settings, told).hex()[:32]


# Anyone who has the address, as with the picture's own sizes (ADR 0043). What must be drawn spends
# "search": that is more than a file.
@router.get(
    PATH,
    operation_id="resize_image",
    response_class=Response,
    responses={
        200: {
            "description": "The picture",
            "content": {form.media_type: {"example": "(bytes)"} for form in PictureFormat},
        },
        **problem_responses(400, 401, 403, 404, 429),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, UNLIMITED, within_s=DRAWING_TIMEOUT_S + 2)
async def resize_image(
    request: Request,
    mesh: Mesh,
    media: UUID,
    w: Width,
    h: Height,
    fmt: PictureFormat,
    sig: Signature,
) -> Response:
    """A picture in one of the sizes and formats that `GET /api/images/{id}` tells the addresses of; it
    never changes.
    """
    if (w, h) not in SIZES:
        raise invalid([Fault(pointer="?w", detail=f"with `h` is none of our sizes: {_SIDES}")])
    signed = signature_of(mesh.settings, str(media), w, h, fmt)
    if not hmac.compare_digest(signed, sig):
        detail = "`sig` is not of this address: take it whole from `GET /api/images/{id}`"
        raise Problem(403, "signature_invalid", detail)
    await FILES.wait(request)
    row = await media_files.by_id(mesh.postgres, str(media))
    if row is None or row["owner_deleted"] or row["status"] != MediaStatus.PROCESSED:
        raise _unknown()
    name = f"resized-{w}x{h}.{fmt.value}"
    key = f"{media_folder(row['user_id'], media)}/{name}"
    data = await mesh.objects.get(key)
    if data is None:
        await spend(mesh.rate_limits, request, "search", 1)
        data = await _drawn(mesh, row, key, ((w, h), fmt))
    return answer_of(mesh.settings, data, f"{media}-{w}x{h}.{fmt.value}", fmt.media_type)


async def _drawn(
    mesh: Machines,
    row: Mapping[str, Any],
    key: str,
    wanted: tuple[tuple[int, int], PictureFormat],
) -> bytes:
    """Drawn of its largest size, which is small and of our own making, and kept."""
    drawn = dict(zip(row["variant_types"], row["variant_keys"], strict=True))
    largest = drawn[VariantName.LARGE]
    source = await mesh.objects.get(largest)
    if source is None:
        raise _unknown()
    try:
        async with asyncio.timeout(DRAWING_TIMEOUT_S):
            data = await mesh.pictures.resized(key, source, *wanted)
    except TimeoutError:
        raise unavailable("busy", "It could not be drawn in time; try again soon") from None
    await mesh.objects.put(key, data)
    # What goes takes away everything that it finds, until it finds nothing more: whoever sees the
    # source after what they kept may leave that to it.
    if await mesh.objects.get(largest) is None:
        await mesh.objects.delete([key])
        raise _unknown()
    return data


def _unknown() -> Problem:
    return Problem(404, "picture_unknown", "There is no such picture")
