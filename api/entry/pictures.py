"""Pictures on their way in and out: the files of a form, and squares and variants that are shown
for ever.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import Path, Request
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.backends.machines import Machines
from api.wire.problems import Problem, invalid, problem_responses
from infra.settings import Settings
from projections.image_columns import NAMES, NOT_DRAWN
from schemas.log.messages import Fault
from schemas.values.texts import Form

# A picture's address holds the hash of its bytes: what is there never changes.
FOREVER = "public, max-age=31536000, immutable"

# What addresses of pictures begin with, as the settings say: set for each request by the layer around
# the routes, since pictures stand in so many answers.
base: ContextVar[str] = ContextVar("base", default="/api")

PictureName = Annotated[
    str,
    Form(r"^[0-9a-f]{64}\.webp$", "is no name of a picture"),
    Path(examples=[f"{'0' * 64}.webp"]),
]
SHOWN: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The picture", "content": {"image/webp": {"example": "(bytes)"}}},
    **problem_responses(401, 404),
}


def url_of(key: str) -> str:
    """Where the picture under this key of the object store is shown."""
    return f"{base.get()}/{key}"


class PictureAnswer(BaseModel):
    """One image of a thing: addresses of its sizes, null until they are drawn."""

    id: str
    thumbnail: str | None
    medium: str | None
    large: str | None


def pictures_of(row: Mapping[str, Any]) -> list[dict[str, str | None]]:
    """The images of a row that has the columns of projections.image_columns, as PictureAnswers."""
    return [
        dict(zip(PictureAnswer.model_fields, (media_id, *map(_address, keys)), strict=True))
        for media_id, *keys in zip(*(row[name] for name in NAMES), strict=True)
    ]


def first_drawn(keys: Sequence[str] | None) -> str | None:
    """The address of the first of these that is drawn; None: there is none."""
    return next((url_of(each) for each in keys or () if each != NOT_DRAWN), None)


def _address(key: str) -> str | None:
    return None if key == NOT_DRAWN else url_of(key)


async def shown(mesh: Machines, key: str) -> Response:
    """The picture under this key; raises a 404 problem when there is none."""
    data = await mesh.objects.get(key)
    if data is None:
        raise Problem(404, "picture_unknown", "There is no such picture")
    name = key.rpartition("/")[2]  # of our making, whatever the file was called that came
    return answer_of(mesh.settings, data, name, "image/webp")


def answer_of(settings: Settings, data: bytes, name: str, media_type: str) -> Response:
    """A picture at an address that never shows another one."""
    headers = {"Content-Disposition": f'inline; filename="{name}"', **forever(settings)}
    return Response(data, headers=headers, media_type=media_type)


def forever(settings: Settings) -> dict[str, str]:
    """What is said to caches and browsers at an address that never shows anything else."""
    headers = {"Cache-Control": FOREVER}
    if urlsplit(settings.pictures_url).netloc:
        # Of a CDN's on another site: a browser shows there what says that it may be.
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return headers


def form_of(
    field: str,
    files_max: int = 1,
    ids: Mapping[str, str] | None = None,
    *,
    bytes_of: str = "a JPEG, PNG or WebP",
) -> dict[str, Any]:
    """The OpenAPI description of a form with so many files under this name, and with these ids, given
    with an example of each.
    """
    file: dict[str, Any] = {"type": "string", "format": "binary"}
    example: Any = f"(the bytes of {bytes_of})"
    if files_max > 1:
        file = {"type": "array", "items": file, "minItems": 1, "maxItems": files_max}
        example = [example]
    ids = ids or {}
    about = {"type": "string", "format": "uuid", "description": "of what they show"}
    schema = {
        "type": "object",
        "required": [*ids, field],
        "properties": {**dict.fromkeys(ids, about), field: file},
        "additionalProperties": False,
    }
    content = {"multipart/form-data": {"schema": schema, "example": {**ids, field: example}}}
    return {"requestBody": {"required": True, "content": content}}


_NOT_READABLE = 400
_TOO_MANY_FILES = "Too many files"  # how the framework's words begin


@asynccontextmanager
async def sent_form(
    request: Request, field: str, detail: str, *, files_max: int, fields_max: int
) -> AsyncIterator[FormData]:
    """The form in the request's body, with files called `field`; they are on disk when they are
    large, and gone after the block. Raises a 415 problem for another kind of body, a 422 one for
    too many files and a 400 one that says `detail` for what is no such form.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "multipart/form-data":
        raise Problem(415, "media_type", f"Send `multipart/form-data` with files named `{field}`")
    try:
        form = await request.form(max_files=files_max, max_fields=fields_max)
    except HTTPException as error:
        if error.status_code != _NOT_READABLE:
            raise  # too large, and not unreadable
        if error.detail.startswith(_TOO_MANY_FILES):
            detail = f"at most {files_max} files fit here: send fewer"
            raise invalid([Fault(pointer=f"/{field}", detail=detail)]) from error
        raise Problem(400, "bad_request", detail) from error
    try:
        yield form
    finally:
        await form.close()


@asynccontextmanager
async def sent_files(
    request: Request, field: str, files_max: int = 1
) -> AsyncIterator[list[UploadFile]]:
    """The form's files, of which there is at least one; all are called `field`, and nothing
    else is in the form.
    """
    detail = f"This is no form with at most {files_max} of `{field}`"
    async with sent_form(request, field, detail, files_max=files_max, fields_max=1) as form:
        files = [each for each in form.getlist(field) if isinstance(each, UploadFile)]
        if not files or len(files) < len(form.multi_items()):
            wanted = "one file" if files_max == 1 else f"1 to {files_max} files"
            detail = f"is required: send {wanted} under this name, and nothing else"
            raise invalid([Fault(pointer=f"/{field}", detail=detail)])
        yield files
