"""A file that names pictures by their addresses becomes listings that show them: by the command, the
writer, the reactor and the read models; the seller's server is one on loopback.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from click.testing import Result
from PIL import Image

import cli.pictures
from cli import importing
from cli.running.prepare import prepare
from infra.clients.objects import open_objects
from infra.settings import Settings
from infra.vault.vault import Vault
from schemas.listings import seller_account
from tests.api.running import PROCESSES, processes
from tests.cli.harness.commands import Mesh, commands_on
from tests.waiting import eventually
from tests.web import answering, web
from tests.worlds import World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")

MAPPING = """
version: 1
source: SOURCE
key: [id]
fields:
  title: {as: template, template: "{make} {model}"}
  make: {as: text, column: make}
  model: {as: text, column: model}
  year: {as: integer, column: year}
  price_minor: {as: money, column: price}
  currency: {as: constant, value: EUR}
  mileage: {as: distance, column: km, unit: km}
images: {columns: [first, others], separator: "|"}
"""
COLORS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}


@dataclass
class Dealer:
    """Whoever keeps the pictures, and how often each was asked for."""

    host: str = ""
    asked: Counter[str] = field(default_factory=Counter)

    async def serve(self, head: str, writer: asyncio.StreamWriter) -> None:
        name = head.split()[1].strip("/").partition(".")[0]
        self.asked[name] += 1
        if name in COLORS:
            await answering("200 OK", "Content-Type: text/plain", body=picture(name))(head, writer)
        else:
            await answering("200 OK" if name == "page" else "404 Not Found")(head, writer)

    def at(self, name: str) -> str:
        return f"http://{self.host}/{name}.jpg"


def picture(color: str) -> bytes:
    out = BytesIO()
    Image.new("RGB", (640, 480), COLORS[color]).save(out, "JPEG")
    return out.getvalue()


@dataclass
class Shop:
    """A mesh at work, and a dealer whose pictures it fetches."""

    made: World
    dealer: Dealer
    folder: Path
    mesh: Mesh

    async def imported(self, source: str, *rows: Sequence[str], update: bool = False) -> Any:
        """The summary of an import of cars, each a list of its pictures."""
        done = await self.run(source, *rows, more=["--update"] if update else [])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    async def run(self, source: str, *rows: Sequence[str], more: Sequence[str]) -> Result:
        """An import, however it ends."""
        lines = ["id,make,model,year,price,km,first,others"]
        for number, names in enumerate(rows):
            first, *others = [*map(self.dealer.at, names), ""]
            cells = ("VW", "Golf", "2004", "9400", "145000", first, "|".join(others))
            lines.append(",".join((str(number), *cells)))
        file, mapping = self.folder / "cars.csv", self.folder / "mapping.yaml"
        file.write_text("\n".join((*lines, "")), "utf-8")
        mapping.write_text(MAPPING.replace("SOURCE", source), "utf-8")
        report = self.folder / f"{source}.jsonl"
        words = ["import", str(file), "--mapping", str(mapping), "--report", str(report), "--json"]
        return await self.mesh(*words, *more)

    async def shows(self, source: str, *colors: Sequence[str]) -> bool:
        """Whether the listings of a source show these pictures, drawn, in this order."""
        rows = await self.made.pool.fetch(
            "SELECT thumbnail_keys FROM reads.listing_page WHERE seller_id = $1", f"import:{source}"
        )
        shown = [[await self._color(key) for key in row["thumbnail_keys"]] for row in rows]
        return sorted(shown) == sorted(map(list, colors))

    async def _color(self, key: str | None) -> str:
        data = await open_objects(self.made.settings).get(key) if key else None
        if data is None:
            return "not drawn"
        seen = Image.open(BytesIO(data)).convert("RGB").getpixel((150, 100))
        assert isinstance(seen, tuple)
        near = {
            name: sum(abs(a - b) for a, b in zip(seen, each, strict=True))
            for name, each in COLORS.items()
        }
        return min(near, key=near.__getitem__)

    async def settled(self, source: str) -> Counter[str]:
        """How far its pictures are, once none is under way."""

        async def counts() -> Counter[str] | None:
            found = json.loads((await self.mesh("pictures", f"import:{source}", "--json")).stdout)
            return None if "processing" in found["counts"] else Counter(found["counts"])

        return await eventually(counts)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(stack: Settings) -> AsyncIterator[tuple[World, Dealer]]:
    async with AsyncExitStack() as undo:
        dealer = Dealer()
        dealer.host = await undo.enter_async_context(web(dealer.serve))
        fresh = await undo.enter_async_context(world(stack))
        await prepare(fresh.settings)
        allowed = fresh.settings.model_copy(update={"fetch_allowed": dealer.host})
        undo.enter_context(processes(allowed, PROCESSES))
        yield World(allowed, fresh.pool), dealer


@pytest.fixture
def shop(made: tuple[World, Dealer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    world_, dealer = made
    # It would send this whole session's log to a stream that ends with the test.
    monkeypatch.setattr(importing, "configure_logging", lambda *_: None)
    mesh = commands_on(world_.settings, monkeypatch, importing, cli.pictures)
    return Shop(world_, dealer, tmp_path, mesh)


async def test_a_file_with_pictures_becomes_listings_that_show_them_in_order(shop: Shop) -> None:
    summary = await shop.imported("new", ["red", "green", "blue"], ["blue", "red"], [])
    assert (summary["accepted"], summary["refused"]) == (3, 0)
    await eventually(lambda: shop.shows("new", ["red", "green", "blue"], ["blue", "red"], []))


async def test_the_same_file_fetches_nothing_again(shop: Shop) -> None:
    await shop.imported("again", ["red", "gone", "blue"])
    await eventually(lambda: shop.shows("again", ["red", "blue"]))
    before = shop.dealer.asked.copy()
    summary = await shop.imported("again", ["red", "gone", "blue"])
    assert summary["accepted"] == 1
    assert await shop.shows("again", ["red", "blue"])
    assert shop.dealer.asked == before


async def test_what_can_not_be_had_is_told_with_its_reason_and_its_address(shop: Shop) -> None:
    await shop.imported("lost", ["red", "gone", "page"])
    assert await shop.settled("lost") == {"failed": 2, "processed": 1}
    found = json.loads((await shop.mesh("pictures", "import:lost", "--json")).stdout)
    assert {(each["reason"], each["address"]) for each in found["failed"]} == {
        ("not_fetched", shop.dealer.at("gone")),
        ("unreadable", shop.dealer.at("page")),
    }
    (listing_id,) = {each["listing_id"] for each in found["failed"]}
    assert (
        await shop.made.pool.fetchval(
            "SELECT seller_id FROM reads.listing_page WHERE key = $1", listing_id
        )
        == "import:lost"
    )
    table = (await shop.mesh("pictures", "import:lost")).stdout
    assert "2 failed, 1 processed" in table
    assert shop.dealer.at("gone") in table


async def test_an_update_follows_the_file(shop: Shop) -> None:
    await shop.imported("change", ["red", "green"])
    await eventually(lambda: shop.shows("change", ["red", "green"]))
    summary = await shop.imported("change", ["blue", "red"], update=True)
    assert summary["changes"] == {"changed": 1}
    await eventually(lambda: shop.shows("change", ["blue", "red"]))
    assert (await shop.imported("change", ["blue", "red"], update=True))["changes"] == {
        "unchanged": 1
    }
    await eventually(lambda: deleted(shop, "change"))
    await shop.imported("change", ["green", "blue", "red"], update=True)
    await eventually(lambda: shop.shows("change", ["green", "blue", "red"]))


async def test_a_persons_pictures_are_theirs_and_of_nobody_there_are_none(shop: Shop) -> None:
    person = uuid4()
    nobody = await shop.run("person", ["red"], more=["--seller", str(person)])
    assert (nobody.exit_code, "has no account" in nobody.output) == (2, True)
    await Vault(shop.made.pool, shop.made.settings).new_person(person, "ab" * 32)
    done = await shop.run("person", ["red"], more=["--seller", str(person)])
    assert done.exit_code == 0, done.output
    owner = "SELECT user_id FROM reads.media_files WHERE user_id = $1 AND status = 'processed'"
    assert await eventually(lambda: shop.made.pool.fetchval(owner, str(person))) == str(person)


async def deleted(shop: Shop, source: str) -> bool:
    """Whether a picture that nothing shows any more is gone."""
    return bool(
        await shop.made.pool.fetchval(
            "SELECT count(*) FROM reads.media_files WHERE user_id = $1 AND status = 'deleted'",
            str(seller_account(f"import:{source}")),
        )
    )


async def test_no_address_stands_readable_in_the_log(shop: Shop) -> None:
    await shop.imported("sealed", ["red"])
    await eventually(lambda: shop.shows("sealed", ["red"]))
    account = seller_account("import:sealed")
    (event,) = await shop.made.pool.fetch(
        "SELECT data FROM reads.journal WHERE kind = 'media.wanted' AND data::text LIKE $1",
        f"%{account}%",
    )
    assert shop.dealer.host not in event["data"]
    key = await Vault(shop.made.pool, shop.made.settings).person(account)
    assert key is not None
    sealed = json.loads(event["data"])["address_sealed"]
    assert key.unseal("address", sealed) == shop.dealer.at("red")
