from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.imports.files.rows import Row
from cli.imports.outcomes import Refusal, RefusedBy
from cli.imports.translate import Translator, missing_columns
from schemas.listings import CreateListing
from schemas.log.messages import Market, Role
from schemas.log.recorded import CommandEnvelope
from tests.cli.imports.reading import NOON, fields, one, order, rows_of, rule, small, translated


def envelopes(text: str, **parts: str) -> list[CommandEnvelope]:
    found = translated(rows_of(text), small(**parts))
    sent = [each for each in found if isinstance(each, CommandEnvelope)]
    assert sent == found
    return sent


def listing_ids(text: str, **parts: str) -> list[str]:
    return [each.command.stream_id for each in envelopes(text, **parts)]


def test_a_row_becomes_one_command_that_lists_and_publishes() -> None:
    (envelope,) = envelopes("id\nVW Golf\n", seller="import:dealer-7", market="campus")
    command = envelope.command
    assert isinstance(command, CreateListing)
    assert command.publish
    assert (command.asked_by, command.asked_role) == ("import:dealer-7", Role.SELLER)
    assert command.fields.title == "VW Golf"


def test_the_seller_is_named_after_the_source_when_the_mapping_names_none() -> None:
    (envelope,) = envelopes("id\nVW Golf\n")
    assert envelope.command.asked_by == "import:small"


def test_the_same_row_gives_the_same_ids_whenever_it_is_imported() -> None:
    row = Row(1, 2, {"id": "VW Golf"})
    mapping = small()
    today = Translator(order(mapping)).translate(row)
    later = Translator(order(mapping, NOON + timedelta(days=400))).translate(replace(row, number=9))
    assert isinstance(today, CommandEnvelope)
    assert isinstance(later, CommandEnvelope)
    assert today.command_id == later.command_id
    assert today.fingerprint == later.fingerprint
    assert today.command.stream_id == later.command.stream_id


def test_the_same_key_with_other_content_is_another_command_on_the_same_listing() -> None:
    mapping = small(reject="[]").model_copy(
        update={"fields": rule("{title: {as: text, column: t}}").fields}
    )
    before = one(mapping, id="1", t="VW Golf")
    after = one(mapping, id="1", t="VW Polo")
    assert isinstance(before, CommandEnvelope)
    assert isinstance(after, CommandEnvelope)
    assert before.command.stream_id == after.command.stream_id
    assert before.command_id != after.command_id


def test_another_seller_is_another_request() -> None:
    row = Row(1, 2, {"id": "VW Golf"})
    mine, yours = (
        Translator(order(small(), seller=seller)).translate(row) for seller in ("me", "you")
    )
    assert isinstance(mine, CommandEnvelope)
    assert isinstance(yours, CommandEnvelope)
    assert mine.command_id != yours.command_id


def test_equal_rows_are_so_many_listings_with_stable_ids() -> None:
    text = "id\nVW Golf\nVW Golf\nVW Polo\n"
    found = listing_ids(text)
    assert len(set(found)) == 3
    assert listing_ids(text) == found


def test_another_source_never_shares_an_id() -> None:
    assert not set(listing_ids("id\nVW Golf\n")) & {
        each.command.stream_id
        for each in translated(
            rows_of("id\nVW Golf\n"), small().model_copy(update={"source": "other"})
        )
        if isinstance(each, CommandEnvelope)
    }


def test_cells_of_a_key_are_kept_apart() -> None:
    mapping = small().model_copy(update={"key": ("id", "t")})
    found = [one(mapping, id=a, t=b) for a, b in (("abc", "def"), ("abcd", "ef"))]
    ids = {each.command.stream_id for each in found if isinstance(each, CommandEnvelope)}
    assert len(ids) == 2


def test_a_rejected_row_counts_as_an_occurrence_so_ids_do_not_hang_on_reject_rules() -> None:
    mapping = small().model_copy(update={"key": ("id",)})
    rejecting = mapping.model_copy(
        update={"reject": small(reject="[{reason: unwanted, column: t, equals: x}]").reject}
    )
    rows = [Row(1, 2, {"id": "abc", "t": "x"}), Row(2, 3, {"id": "abc", "t": "y"})]
    taken, kept = translated(rows, mapping), translated(rows, rejecting)
    assert isinstance(kept[0], Refusal)
    assert isinstance(kept[1], CommandEnvelope)
    assert isinstance(taken[1], CommandEnvelope)
    assert kept[1].command.stream_id == taken[1].command.stream_id


@pytest.mark.parametrize(
    ("cells", "by", "reason"),
    [
        ({"y": "abc"}, RefusedBy.MAPPING, "not_a_number"),
        ({"y": "1800"}, RefusedBy.VALIDATION, "invalid_field"),
        ({"y": "1.999"}, RefusedBy.MAPPING, "ambiguous_number"),
    ],
)
def test_who_refused_a_row_is_told_apart(cells: dict[str, str], by: RefusedBy, reason: str) -> None:
    found = one(rule("{year: {as: integer, column: y}}"), **cells)
    assert isinstance(found, Refusal)
    assert (found.by, found.reason) == (by, reason)
    assert found.detail.startswith("year: ")
    assert (found.field, found.column) == ("year", "y")


def test_a_value_that_no_vehicle_has_is_told_with_its_cell_and_in_plain_words() -> None:
    fields = """
        {year: {as: integer, column: y}, currency: {as: constant, value: EUR},
        price_minor: {as: money, column: p}}
    """
    found = one(rule(fields), y="10", p="-5")
    assert isinstance(found, Refusal)
    assert found.detail.split("; ") == [
        "price_minor: '-5': is too small: it must be more than 0",
        "year: '10': is too small: at least 1886",
    ]


def test_a_row_that_cannot_be_read_keeps_its_refusal() -> None:
    broken = Refusal(RefusedBy.FILE, "malformed")
    assert Translator(order(small())).translate(Row(1, 2, {}, broken)) is broken


def test_columns_that_the_file_lacks_are_told_with_their_place_in_the_mapping() -> None:
    mapping = small(reject="[{reason: unwanted, column: t, equals: x}]")
    told = missing_columns(mapping, ("name", "ID"))
    assert "fields.title: no column 'id' in the file (is 'ID' meant?)" in told
    assert "reject.0.column: no column 't' in the file" in told


def test_the_market_is_that_of_the_order() -> None:
    found = Translator(replace(order(small()), market=Market.CAMPUS)).translate(
        Row(1, 2, {"id": "abc"})
    )
    assert isinstance(found, CommandEnvelope)
    assert isinstance(found.command, CreateListing)
    assert found.command.market is Market.CAMPUS


@given(st.text(max_size=200))
def test_any_text_in_a_cell_is_taken_or_refused(cell: str) -> None:
    mapping = rule(
        "{title: {as: text, column: c}, year: {as: integer, column: c},"
        " price_minor: {as: money, column: c}, mileage: {as: distance, unit: km, column: c},"
        " first_registration: {as: month, year: c, month: c}}"
    )
    found = one(mapping, c=cell)
    assert isinstance(found, Refusal) or fields(found) is not None
