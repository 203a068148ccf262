"""The table of a check."""

from __future__ import annotations

from cli.imports.outcomes import Outcome
from cli.imports.preview import Shown, table_of
from schemas.values.vehicles import VehicleFields


def shown(**fields: object) -> list[str]:
    return table_of([Shown(Outcome(1, 2, "id"), VehicleFields.model_construct(**fields))])


def test_nothing_in_a_table_moves_the_cursor() -> None:
    """Whatever validation lets through one day."""
    _, line = shown(title="a\x1b[31m\nb")
    assert line == r"  1     2  a\x1b[31m\nb"


def test_an_amount_is_shown_as_its_currency_is_written() -> None:
    prices = [(5, "EUR"), (5, "JPY"), (5, "KWD"), (5, None)]
    lines = [
        shown(price_minor=minor, currency=code)[1].split(maxsplit=2)[2] for minor, code in prices
    ]
    assert lines == ["0.05 EUR", "5 JPY", "0.005 KWD", "5 minor units"]


def test_what_would_be_fetched_is_shown_in_its_order() -> None:
    addresses = ("https://b.example/2.jpg", "https://a.example/\x1b[31m1.jpg")
    row = Shown(Outcome(1, 2, "id"), VehicleFields.model_construct(title="Golf"), addresses)
    assert table_of([row])[2:] == [
        "    picture: https://b.example/2.jpg",
        r"    picture: https://a.example/\x1b[31m1.jpg",
    ]
    assert row.as_json("acceptable")["images"] == list(addresses)
    assert "images" not in Shown(row.outcome, row.fields).as_json("acceptable")


def test_without_rows_there_is_no_table() -> None:
    assert table_of([]) == []
