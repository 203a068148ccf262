"""House rules about contexts: each is in every room under its own name, or a reason says why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from schemas.log.contexts import Context

RECIPE = "docs/adding-a-context.md"
# Room → where a context of this name is found there, and the step of the recipe that makes it.
ROOMS: Mapping[str, tuple[tuple[str, ...], int]] = {
    "schemas": (("schemas/{}.py", "schemas/{}/"), 1),
    "producers": (("producers/{}.py", "producers/{}/"), 2),
    "projections": (("projections/{}/",), 3),
    "api": (("api/{}/",), 4),
    "tests/producers": (("tests/producers/test_{}.py", "tests/producers/{}/"), 6),
    "tests/projections": (("tests/projections/{}/",), 6),
    "tests/api": (("tests/api/{}/",), 6),
}
# What is in a room under another name, or not at all.
ELSEWHERE: Mapping[tuple[str, str], str] = {
    ("tracking", "producers"): "its facts are appended straight: nobody refuses them",
    ("tracking", "tests/producers"): "so there are no rules to test",
    ("tracking", "projections"): "views are figures: projections/analytics",
    ("tracking", "tests/projections"): "so are their tests",
    ("tracking", "api"): "and api/analytics takes and shows them",
    ("tracking", "tests/api"): "so are its tests",
    ("ops", "projections"): "the journal and the audit tell of every decision",
    ("ops", "tests/projections"): "so their tests do",
}


def missing(
    contexts: Iterable[Context], elsewhere: Mapping[tuple[str, str], str], root: Path
) -> Iterator[str]:
    """The next step of each context that lacks one, and reasons that are out of date."""
    for context in contexts:
        for room, (places, step) in ROOMS.items():
            named = [each.format(context.name) for each in places]
            there = any((root / each).exists() for each in named)
            why = elsewhere.get((context.name, room))
            if not there and why is None:
                wanted = " or ".join(named)
                yield f"{context.name}: make {wanted}: step {step} of {RECIPE}"
            if there and why is not None:
                yield f"{context.name}: is in {room}: take it out of ELSEWHERE"
