"""Pictures that nothing shows go, and no others: the weekly job, against a mesh at work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from infra.clients.postgres import open_pool
from processors.reacting.commands import open_commands
from processors.reactions.reactor import JOBS
from processors.reactions.sweeping import OLD_MEDIA, Cleaned, clean_media
from schemas.items import AddItemImages, item_stream
from schemas.listings import listing_stream
from schemas.log.messages import Role
from schemas.media import MediaType, UploadMedia, media_folder, media_stream
from tests.api.acting.filming import Filmer
from tests.api.acting.offering import campus, sent, student
from tests.api.acting.picturing import Uploader, image_of
from tests.api.acting.profiling import photo
from tests.api.acting.selling import Seller, token_of
from tests.api.running import Mesh, journal_kinds, journalled
from tests.waiting import eventually

DRAWN = ["media.uploaded", "media.begun", "media.processed"]
DAY, WEEK = timedelta(days=1), timedelta(days=7)


@pytest.fixture
async def person(mesh: Mesh) -> Uploader:
    return Uploader(mesh, await mesh.account("seller"))


async def clean(mesh: Mesh, moment: datetime) -> Cleaned:
    """Run the job, as if it were then."""
    async with (
        await open_pool(mesh.settings, size_max=1) as pool,
        open_commands(mesh.settings, "test-old-media") as commands,
    ):
        return await clean_media(pool, commands, moment)


async def marked(mesh: Mesh, image_id: str) -> bool:
    query = "SELECT delete_at IS NOT NULL FROM reads.media_files WHERE key = $1"
    return bool(await mesh.machines.postgres.fetchval(query, image_id))


async def told(mesh: Mesh, image_id: str, kind: str) -> bool:
    return kind in await journal_kinds(mesh, media_stream(image_id))


def test_CR_05_the_job_runs_each_week() -> None:
    assert OLD_MEDIA in JOBS
    now = datetime(2026, 3, 1, tzinfo=UTC)
    first = OLD_MEDIA.next_after(now)
    assert OLD_MEDIA.next_after(first) - first == WEEK


async def test_CR_05_what_nothing_shows_is_marked_and_gone_a_week_later(
    mesh: Mesh, person: Uploader
) -> None:
    found = await person.processed(photo())
    now = datetime.now(UTC)
    await clean(mesh, now + DAY / 2)
    assert not await told(mesh, found["id"], "media.marked_unused")  # it has only just come
    assert (await clean(mesh, now + 2 * DAY)).marked >= 1
    await eventually(lambda: marked(mesh, found["id"]))
    await clean(mesh, now + 8 * DAY)
    assert (await person.image(found["id"])).status_code == 200
    assert (await clean(mesh, now + 9 * DAY + DAY / 24)).deleted >= 1
    await journalled(mesh, media_stream(found["id"]), "media.deleted")
    await eventually(lambda: not person.kept(found["id"]), 30)


async def test_CR_05_what_a_listing_or_an_item_shows_stays(mesh: Mesh, person: Uploader) -> None:
    listing = await person.offer()
    path = f"/api/listings/{listing.json()['id']}/images"
    answer = await person.send(photo(), path=path, headers=token_of(listing))
    image_id = image_of(answer)
    await person.until(image_id, "processed")
    owner = await student(mesh, campus())
    offered = (await owner.offer()).json()["item"]
    (of_item,) = (await owner.becomes(offered["id"], "completed"))["images"]
    unused = await person.processed(photo((9, 9, 9)))
    now = datetime.now(UTC)
    await eventually(lambda: shown_by_listing(mesh, listing.json()["id"], image_id))
    for days in (2, 10, 20):
        await clean(mesh, now + days * DAY)
        if days == 2:
            await eventually(lambda: marked(mesh, unused["id"]))
    await journalled(mesh, media_stream(unused["id"]), "media.deleted")
    for each in (image_id, of_item["id"]):
        kinds = await journal_kinds(mesh, media_stream(each))
        assert kinds == DRAWN


async def test_CR_05_a_video_of_a_listing_stays_and_one_that_failed_goes(mesh: Mesh) -> None:
    filmer = Filmer(mesh, await mesh.account("seller"))
    listing = await filmer.offer()
    video = await filmer.filmed(listing)
    sent = await filmer.film(listing.json()["id"], b"\0\0\0\x18ftypisom and no more")
    failed = await filmer.until_ready(sent, "failed")
    now = datetime.now(UTC)
    await clean(mesh, now + 2 * DAY)
    await eventually(lambda: marked(mesh, failed["id"]))
    await clean(mesh, now + 10 * DAY)
    await journalled(mesh, media_stream(failed["id"]), "media.deleted")
    assert await journal_kinds(mesh, media_stream(video["id"])) == DRAWN


async def shown_by_listing(mesh: Mesh, listing_id: str, image_id: str) -> bool:
    query = "SELECT $2 = ANY(image_ids) FROM reads.listing_page WHERE key = $1"
    return bool(await mesh.machines.postgres.fetchval(query, listing_id, image_id))


async def booked(mesh: Mesh, owner: Seller, subject: str) -> str:
    """The id of an upload for this thing, drawn, that the thing itself was not told of."""
    media_id, owner_id = uuid4(), owner.account.user_id
    original = f"{media_folder(owner_id, media_id)}/original-{'0' * 64}"
    await mesh.machines.objects.put(original, photo())
    reply = await sent(
        mesh,
        UploadMedia(
            media_id=media_id,
            owner_id=UUID(owner_id),
            media_type=MediaType.PNG,
            size=1,
            original=original,
            subject=subject,
            asked_at=datetime.now(UTC),
            asked_by=owner_id,
            asked_role=Role.BUYER,
        ),
    )
    assert reply.outcome == "accepted", reply
    await Uploader(mesh, owner.account).until(str(media_id), "processed")
    return str(media_id)


async def test_CR_05_what_is_for_a_thing_that_can_not_be_read_now_stays(
    mesh: Mesh, person: Uploader
) -> None:
    """A row that waits to be mended is in no view: nobody knows what it shows."""
    image_id = await booked(mesh, person, listing_stream(uuid4()))
    unused = await person.processed(photo())
    now = datetime.now(UTC)
    await clean(mesh, now + 2 * DAY)
    await eventually(lambda: marked(mesh, unused["id"]))
    await clean(mesh, now + 10 * DAY)
    await journalled(mesh, media_stream(unused["id"]), "media.deleted")
    kinds = await journal_kinds(mesh, media_stream(image_id))
    assert kinds == DRAWN


async def test_CR_05_what_is_shown_before_its_time_has_come_stays(mesh: Mesh) -> None:
    here = campus()
    owner = await student(mesh, here)
    item_id = await owner.have()
    image_id = await booked(mesh, owner, item_stream(item_id))
    now = datetime.now(UTC)
    await clean(mesh, now + 2 * DAY)
    await eventually(lambda: marked(mesh, image_id))
    command = AddItemImages(
        item_id=UUID(item_id),
        email_domain=here,
        media_ids=(UUID(image_id),),
        asked_at=now,
        asked_by=owner.account.user_id,
        asked_role=Role.BUYER,
    )
    await owner.reach(item_id, await sent(mesh, command))
    assert (await clean(mesh, now + 10 * DAY)).kept >= 1
    await eventually(lambda: told(mesh, image_id, "media.kept"))
    await clean(mesh, now + 20 * DAY)
    other = await Uploader(mesh, owner.account).processed(photo())
    await clean(mesh, now + 22 * DAY)
    await eventually(lambda: marked(mesh, other["id"]))
    kinds = await journal_kinds(mesh, media_stream(image_id))
    assert kinds == [*DRAWN, "media.marked_unused", "media.kept"]
