"""A vehicle's fields as flat columns, the same in every read model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from schemas.values.vehicles import VehicleFacts

_SPLIT = {"mileage": ("mileage", "mileage_unit", "mileage_km"), "geo": ("lat", "lon")}

COLUMNS = frozenset(VehicleFacts.model_fields) - {"geo"} | {
    column for columns in _SPLIT.values() for column in columns
}


def stated_columns(fields: VehicleFacts) -> dict[str, Any]:
    """The columns that these fields fill: a mileage as stated and in kilometres, a place as
    latitude and longitude.
    """
    columns = fields.stated()
    mileage, place = columns.pop("mileage", None), columns.pop("geo", None)
    if mileage is not None:
        columns["mileage"] = mileage.value
        columns["mileage_unit"] = mileage.unit
        columns["mileage_km"] = mileage.kilometres
    if place is not None:
        columns["lat"], columns["lon"] = place.lat, place.lon
    return columns


def changed_columns(fields: VehicleFacts, cleared: Iterable[str]) -> dict[str, Any]:
    """The columns that an update fills, and None for those it empties. Names that only a newer
    writer knows are passed over.
    """
    columns = stated_columns(fields)
    for name in cleared:
        for column in _SPLIT.get(name, (name,)):
            if column in COLUMNS:
                columns[column] = None
    return columns
