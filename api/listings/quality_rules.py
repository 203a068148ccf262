"""How good an advertisement is, from 0 to 100: a pure function of what the listing states and of
how many of its pictures are drawn.

Each rule gives its points whole or not at all, and looks at nothing but its own field. So whatever
is done from the list raises the score by what was promised, and takes nothing away elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

SCORE_MAX: Final = 100

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """What gives `points` where it `holds`: `advice` is what to do about `field`, `reason` why."""

    id: str
    field: str
    points: int
    holds: Callable[[Row], bool]
    advice: str
    reason: str


@dataclass(frozen=True, slots=True)
class Quality:
    """The score, what it was given for, and what would raise it: what gives most stands first."""

    score: int
    done: tuple[Rule, ...]
    to_do: tuple[Rule, ...]


def quality_of(row: Row) -> Quality:
    """How good the ad is whose columns these are (projections.listings.listing_page)."""
    done = tuple(rule for rule in RULES if rule.holds(row))
    to_do = sorted((rule for rule in RULES if rule not in done), key=lambda rule: -rule.points)
    return Quality(sum(rule.points for rule in done), done, tuple(to_do))


def _stated(name: str) -> Callable[[Row], bool]:
    return lambda row: row[name] is not None


def _long(name: str, least: int) -> Callable[[Row], bool]:
    """Whether a text, or a list, has so many letters, or places."""
    return lambda row: len(row[name] or ()) >= least


def _drawn(least: int) -> Callable[[Row], bool]:
    """Whether so many pictures can be seen: one that is still to be drawn may never be."""
    return lambda row: sum(map(bool, row["large_keys"])) >= least


_SEEN = "Buyers pass over what they can't see"
_FOUND = "Buyers filter by it: what is not stated is not found"
_TRUST = "What is left out is taken for something to hide"
_ASKED = "It is what buyers ask first"

RULES: Final = (
    Rule("first_image", "images", 15, _drawn(1), "Add a picture", _SEEN),
    Rule("five_images", "images", 8, _drawn(5), "Show at least 5 pictures", _SEEN),
    Rule("ten_images", "images", 5, _drawn(10), "Show at least 10 pictures", _SEEN),
    Rule("price", "price_minor", 8, _stated("price_minor"), "State the price", _ASKED),
    Rule(
        "description",
        "description",
        8,
        _long("description", 150),
        "Describe it in at least 150 letters",
        "Who knows its story comes to see it",
    ),
    Rule(
        "long_description",
        "description",
        4,
        _long("description", 500),
        "Describe condition, service and extras in at least 500 letters",
        "It saves both sides the same questions over and over",
    ),
    Rule(
        "title",
        "title",
        4,
        _long("title", 20),
        "Write a title of at least 20 letters",
        "The title is all that is read in a list",
    ),
    Rule("vin", "vin", 6, _stated("vin"), "State the VIN", "Only a VIN can be checked"),
    Rule("make", "make", 3, _stated("make"), "State the make", _FOUND),
    Rule("model", "model", 5, _stated("model"), "State the model", _FOUND),
    Rule("year", "year", 4, _stated("year"), "State the year", _FOUND),
    Rule("mileage", "mileage", 5, _stated("mileage"), "State the mileage", _FOUND),
    Rule("fuel_type", "fuel_type", 3, _stated("fuel_type"), "State the fuel", _FOUND),
    Rule("transmission", "transmission", 3, _stated("transmission"), "State the gearbox", _FOUND),
    Rule("body_type", "body_type", 2, _stated("body_type"), "State the body's shape", _FOUND),
    Rule("power", "power_kw", 2, _stated("power_kw"), "State the power", _FOUND),
    Rule("color", "exterior_color", 2, _stated("exterior_color"), "State the colour", _FOUND),
    Rule("location", "location", 3, _stated("location"), "State where it stands", _FOUND),
    Rule("condition", "condition", 3, _stated("condition"), "State the condition", _TRUST),
    Rule("owners", "owners", 2, _stated("owners"), "Say how many owners it had", _TRUST),
    Rule(
        "accidents",
        "accident_free",
        3,
        _stated("accident_free"),
        "Say whether it is free of accidents",
        _TRUST,
    ),
    Rule(
        "features", "features", 2, _long("features", 3), "Name at least 3 of its features", _FOUND
    ),
)
