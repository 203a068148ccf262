"""The same claims on the shipped sample and on the full file of classifieds: each is compared
with an independent reading of the bytes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cli.imports.outcomes import Refusal, RefusedBy
from schemas.log.recorded import CommandEnvelope
from tests.cli.imports.ads import ADS, EXAMPLES, ROOT, SAMPLE_ADS, Ads, full_file, missing
from tests.cli.imports.reading import fields, file_translated

# What the files come to, row for row: a change of these is a change of what imports mean.
COUNTS = {
    "sample": {
        "accepted": 4_651,
        "year_out_of_range": 202,
        "price_missing": 144,
        "invalid_field": 3,
    },
    "classifieds": {
        "accepted": 17_472,
        "year_out_of_range": 677,
        "price_missing": 548,
        "invalid_field": 7,
        "wanted_ad": 1,
    },
}
Pairs = list[tuple[dict[str, str], CommandEnvelope | Refusal]]
FIRST_YEAR, LAST_YEAR = 1886, 2016
BODIES = {
    "limousine": "sedan",
    "kleinwagen": "small_car",
    "kombi": "wagon",
    "bus": "van",
    "cabrio": "convertible",
    "coupe": "coupe",
    "coupé": "coupe",
    "suv": "suv",
    "andere": "other",
    "": None,
}


@pytest.fixture(scope="module", params=ADS, ids=lambda ads: ads.name)
def ads(request: pytest.FixtureRequest) -> Ads:
    found: Ads = request.param
    return found


@pytest.fixture(scope="module")
def pairs(ads: Ads) -> Pairs:
    """Each row as an independent reader sees it, with what it became."""
    return list(zip(ads.rows(), file_translated(ads.file, ads.mapping), strict=True))


def reasons(pairs: Pairs) -> Counter[str]:
    return Counter(found.reason for _, found in pairs if isinstance(found, Refusal))


def test_every_row_is_accepted_or_refused(ads: Ads, pairs: Pairs) -> None:
    accepted = sum(isinstance(found, CommandEnvelope) for _, found in pairs)
    assert accepted + reasons(pairs).total() == len(ads.rows())
    assert accepted > 0.9 * len(pairs)


def test_the_file_comes_to_the_counts_that_are_known(ads: Ads, pairs: Pairs) -> None:
    accepted = sum(isinstance(found, CommandEnvelope) for _, found in pairs)
    assert {"accepted": accepted, **reasons(pairs)} == COUNTS[ads.name]


def test_a_full_file_that_is_not_there_is_told_and_never_dropped(tmp_path: Path) -> None:
    assert "MESH_ADS_FILE may name it" in str(missing(full_file(None, tmp_path / "a"), None))
    with pytest.raises(FileNotFoundError, match="MESH_ADS_FILE=/nowhere"):
        missing(full_file("/nowhere", ROOT), "/nowhere")


def test_no_row_is_refused_by_the_file(pairs: Pairs) -> None:
    assert not [
        found for _, found in pairs if isinstance(found, Refusal) and found.by is RefusedBy.FILE
    ]


def test_every_accepted_row_is_a_listing_of_its_own(pairs: Pairs) -> None:
    ids = [found.command.stream_id for _, found in pairs if isinstance(found, CommandEnvelope)]
    assert len(set(ids)) == len(ids)


def test_ads_without_a_price_are_refused_as_such(ads: Ads, pairs: Pairs) -> None:
    priceless = [found for row, found in pairs if row[ads.price] == "$0"]
    assert all(isinstance(found, Refusal) for found in priceless)
    assert 0 < reasons(pairs)["price_missing"] <= len(priceless)


def test_years_before_the_first_car_and_after_the_ads_are_refused_as_such(
    ads: Ads, pairs: Pairs
) -> None:
    odd = [
        found
        for row, found in pairs
        if not FIRST_YEAR <= int(row[ads.year]) <= LAST_YEAR and row[ads.price] != "$0"
    ]
    assert {found.reason for found in odd if isinstance(found, Refusal)} <= {
        "year_out_of_range",
        "wanted_ad",
    }
    assert len(odd) >= reasons(pairs)["year_out_of_range"] > 0


def test_powers_that_no_car_has_are_refused_by_validation(ads: Ads, pairs: Pairs) -> None:
    invalid = [
        row
        for row, found in pairs
        if isinstance(found, Refusal) and found.by is RefusedBy.VALIDATION
    ]
    assert invalid
    assert all(int(row[ads.power]) > 2_000 / 0.7355 for row in invalid)


def test_X_49_prices_are_minor_units_of_what_the_cell_says(ads: Ads, pairs: Pairs) -> None:
    for row, found in pairs:
        if isinstance(found, CommandEnvelope):
            euros = int(row[ads.price].replace("$", "").replace(",", ""))
            assert fields(found)["price_minor"] == euros * 100
            assert fields(found)["currency"] == "EUR"


def test_mileages_bodies_and_powers_are_what_the_cells_say(ads: Ads, pairs: Pairs) -> None:
    for row, found in pairs:
        if isinstance(found, CommandEnvelope):
            stated = fields(found)
            kilometres = int(row[ads.odometer].replace(",", "").removesuffix("km"))
            assert stated["mileage"] == {"value": kilometres, "unit": "KMT"}
            assert stated.get("body_type") == BODIES[row[ads.body]]
            assert stated.get("power_kw") == (round(int(row[ads.power]) * 0.73549875) or None)


def test_a_wanted_ad_is_no_offer(pairs: Pairs) -> None:
    wanted = sum(row.get("offerType") == "Gesuch" for row, _ in pairs)
    assert reasons(pairs)["wanted_ad"] == wanted


def test_titles_of_the_sample_are_composed_and_spelt_as_makers_spell_them() -> None:
    titles = {
        str(fields(found)["title"])
        for found in file_translated(SAMPLE_ADS.file, SAMPLE_ADS.mapping)
        if isinstance(found, CommandEnvelope)
    }
    assert len(titles) > 1_000
    for wanted in ("BMW 3 Series 2005", "Mercedes-Benz C-Class", "Citroën", "Škoda", "Käfer"):
        assert any(title.startswith(wanted) or wanted in title for title in titles), wanted
    assert not [title for title in titles if "_" in title or title != title.strip()]


def test_the_sample_has_5000_rows_of_facts_that_the_mapping_uses_and_nothing_else() -> None:
    rows = SAMPLE_ADS.rows()
    assert len(rows) == 5_000
    assert set(rows[0]) == set(SAMPLE_ADS.mapping.columns_used())
    assert max(len(cell) for row in rows for cell in row.values()) <= 20


def test_the_sample_is_as_dirty_as_the_real_thing() -> None:
    rows = SAMPLE_ADS.rows()
    assert {row["zulassung_jahr"] for row in rows} >= {"1800", "9999"}
    assert sum(row["preis"] == "$0" for row in rows) > 50
    assert any("," in row["preis"] for row in rows)
    assert len({tuple(row.values()) for row in rows}) < len(rows)  # the same row twice
    with pytest.raises(UnicodeDecodeError):
        SAMPLE_ADS.file.read_text("utf-8")


def test_a_second_seller_needs_a_mapping_and_no_code() -> None:
    file = EXAMPLES / "other_seller.csv"
    other = Ads("other", file, EXAMPLES / "mappings" / "other_seller.yaml", *[""] * 5)
    found = file_translated(file, other.mapping)
    assert Counter(each.reason for each in found if isinstance(each, Refusal)) == {
        "mileage_unknown": 1,
        "price_on_application": 1,
        "unknown_word": 1,
        "wrong_number_of_cells": 1,
        "invalid_field": 1,
    }
    assert fields(found[0]) == {
        "title": "Ford Fiesta 2014",
        "description": "One careful owner, full history",
        "price_minor": 549_500,
        "currency": "GBP",
        "year": 2014,
        "make": "Ford",
        "model": "Fiesta",
        "body_type": "hatchback",
        "mileage": {"value": 41_200, "unit": "SMI"},
        "fuel_type": "petrol",
        "transmission": "manual",
        "condition": "good",
        "engine_cc": 1_000,
        "power_kw": 75,
        "doors": 5,
        "exterior_color": "Blue",
        "owners": 2,
        "first_registration": "2014-05",
        "availability": "in_stock",
        "features": ["Air con", "Bluetooth"],
    }


def test_the_line_breaks_of_a_description_are_kept() -> None:
    file = EXAMPLES / "other_seller.csv"
    mapping = Ads("other", file, EXAMPLES / "mappings" / "other_seller.yaml", *[""] * 5).mapping
    found = file_translated(file, mapping)
    assert fields(found[7])["description"] == "Roof replaced in 2019.\nNew tyres all round."
