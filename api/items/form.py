"""The form of a new item: what is stated of it, and its images."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from api.entry.pictures import sent_form
from api.items.bodies import IMAGES
from api.wire.problems import Problem, invalid
from infra.pictures import media_type_of
from schemas.items import IMAGES_MAX, ItemTerms
from schemas.log.messages import Fault
from schemas.media import ORIGINAL_BYTES_MAX
from schemas.values.money import minor_units

FIELDS_MAX = len(ItemTerms.model_fields) + 1  # one more, to name what is unknown
SIGNATURE_BYTES = 16  # by so many a picture is known


@dataclass(frozen=True)
class SentItem:
    """A form that was filled in as it should be; `price_minor` is its price."""

    terms: ItemTerms
    price_minor: int
    files: tuple[UploadFile, ...]


@asynccontextmanager
async def sent_item(request: Request) -> AsyncIterator[SentItem]:
    """The form in the request's body; its files are on disk when they are large, and gone after
    the block. Raises problems: 415 for another kind of body, 422 for a form that is not filled
    in as it should be. All that can be known of the files is known before any is kept.
    """
    detail = f"This is no form with at most {IMAGES_MAX} files and the fields of an item"
    async with sent_form(
        request, IMAGES, detail, files_max=IMAGES_MAX, fields_max=FIELDS_MAX
    ) as form:
        terms = _terms(form)
        files = await _files(form)
        yield SentItem(terms, _price_minor(terms), files)


def _terms(form: FormData) -> ItemTerms:
    texts = [(name, each) for name, each in form.multi_items() if name != IMAGES]
    names = [name for name, _ in texts]
    if twice := {name for name in names if names.count(name) > 1}:
        raise _invalid((f"/{name}", "is sent twice: send it once") for name in sorted(twice))
    if files := [name for name, each in texts if isinstance(each, UploadFile)]:
        raise _invalid((f"/{name}", "is sent as a file: send a text") for name in files)
    try:
        return ItemTerms.model_validate(dict(texts))
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found) from None


def _price_minor(terms: ItemTerms) -> int:
    """Judged by the rules as well; here no image is kept for what will be refused."""
    try:
        return minor_units(terms.price, terms.currency)
    except ValueError as error:
        raise _invalid([("/price", str(error))]) from None


async def _files(form: FormData) -> tuple[UploadFile, ...]:
    sent = form.getlist(IMAGES)
    files = tuple(each for each in sent if isinstance(each, UploadFile))
    if not files or len(files) < len(sent):
        raise _invalid([(f"/{IMAGES}", "at least one image is required: send it as a file")])
    found = [(f"/{IMAGES}/{place}", await _fault(each)) for place, each in enumerate(files)]
    if faults := [(pointer, fault) for pointer, fault in found if fault is not None]:
        raise _invalid(faults)
    return files


async def _fault(file: UploadFile) -> str | None:
    if (file.size or 0) > ORIGINAL_BYTES_MAX:
        return f"is larger than {ORIGINAL_BYTES_MAX >> 20} MiB"
    start = await file.read(SIGNATURE_BYTES)
    await file.seek(0)
    if media_type_of(start) is None:
        return "is no JPEG, PNG or WebP, whatever its name says"
    return None


def _invalid(found: Iterable[tuple[str, str]]) -> Problem:
    return invalid([Fault(pointer=pointer, detail=detail) for pointer, detail in found])
