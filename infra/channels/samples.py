"""What templates are filled in with to be judged, shown and tried out: people, things and places
that are made up. `market.example` is nobody's (RFC 2606).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.notifications import LISTED_MAX
from schemas.templates import TemplateName

_PLACE: Final = "https://market.example"
_TOKEN: Final = "not-a-token"  # noqa: S105 - a made-up one
UNTIL: Final = "2026-03-01 12:00"
LINKS: Final[Mapping[str, str]] = {
    "link": f"{_PLACE}/#token={_TOKEN}",
    "manage": f"{_PLACE}/preferences",
    "unsubscribe": f"{_PLACE}/unsubscribe/{_TOKEN}",
    "why": f"{_PLACE}/notifications/7/why",
}


@dataclass(frozen=True)
class Sample:
    """One filling: what it shows, to whom it is written, and the values."""

    about: str
    name: str
    values: Mapping[str, Any]

    @property
    def links(self) -> list[str]:
        """What is a link in HTML, where it is a paragraph."""
        found = [each["link"] for each in self.values.get("found", ())]
        return [*found, *(self.values[each] for each in LINKS if each in self.values)]


def _car(reason: str, place: int) -> Mapping[str, Any]:
    return {
        "title": "Example Roadster 1.8",
        "price": "LKR 8,500,000.00",
        "reason": reason,
        "searches": ["Roadsters", "Under nine million"],
        "link": f"{_PLACE}/listings/{place}",
    }


def _line(kind: str, name: str, count: int) -> Mapping[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "title": "Example Roadster 1.8" if name else "",
        "count": count,
        "link": f"{_PLACE}/messages/{count}",
    }


def _of(*names: str) -> Mapping[str, str]:
    return {each: LINKS[each] for each in names}


def _alert(reason: str, title: str, search: str) -> Mapping[str, Any]:
    said = {"title": title, "price": "LKR 8,500,000.00", "reason": reason, "search": search}
    return {**said, **_of("link", "manage", "unsubscribe")}


def _digest(*found: Mapping[str, Any], more: int) -> Mapping[str, Any]:
    total = len(found) + more
    return {"found": found, "total": total, "more": more, **_of("manage", "unsubscribe")}


def _batch(*found: Mapping[str, Any], more: int) -> Mapping[str, Any]:
    count = sum(each["count"] for each in found) + more
    return {"found": found, "count": count, "more": more, **_of("why", "manage", "unsubscribe")}


def _cases(
    one: Mapping[str, Any], many: Mapping[str, Any], most: Mapping[str, Any]
) -> tuple[Sample, ...]:
    return (*_two(one, many), Sample("as many as a mail names", "Example Person", most))


def _two(one: Mapping[str, Any], many: Mapping[str, Any]) -> tuple[Sample, ...]:
    """As somebody with a name gets it, and somebody without."""
    return Sample("several", "Example Person", many), Sample("one, without a name", "", one)


def _batches(one: str, other: str) -> tuple[Sample, ...]:
    line = _line(one, "Another Example", 2)
    return _cases(
        _batch(_line(one, "", 1), more=0),
        _batch(line, _line(other, "", 1), more=3),
        _batch(*[line] * LISTED_MAX, more=3),
    )


_LINK: Final = {"until": UNTIL, **_of("link")}

SAMPLES: Final[Mapping[TemplateName, tuple[Sample, ...]]] = {
    TemplateName.WELCOME: (Sample("with a name", "Example Person", {}), Sample("without", "", {})),
    TemplateName.VERIFY_EMAIL: _two(_LINK, _LINK),
    TemplateName.RESET_PASSWORD: _two(_LINK, _LINK),
    TemplateName.ALERT: (
        Sample("a new one", "Example Person", _alert("new", "Example Roadster 1.8", "Roadsters")),
        Sample("a lower price, without names", "", _alert("price_drop", "", "")),
        Sample("again on offer", "", _alert("back_on_market", "Example Roadster 1.8", "")),
    ),
    TemplateName.DIGEST: _cases(
        _digest({**_car("new", 1), "searches": []}, more=0),
        _digest(_car("new", 1), _car("price_drop", 2), _car("back_on_market", 3), more=4),
        _digest(*[_car("new", 1)] * LISTED_MAX, more=4),
    ),
    TemplateName.MESSAGES: _batches("message.sent", "message.sent"),
    TemplateName.REVIEWS: _batches("review.created", "review.responded"),
    TemplateName.SEARCH_ALERTS: _batches("alert.matched", "alert.matched"),
    TemplateName.BOOKINGS: tuple(
        Sample(
            each, "Example Person", _batch(_line(f"booking.{each}", "Another Example", 1), more=0)
        )
        for each in ("requested", "accepted", "rejected", "cancelled", "completed", "expired")
    ),
}
# What a mail must have, in a paragraph of its own: without it nobody can do what it is sent for, or
# stop it.
REQUIRED: Final[Mapping[TemplateName, tuple[str, ...]]] = {
    TemplateName.WELCOME: (),
    TemplateName.VERIFY_EMAIL: ("link",),
    TemplateName.RESET_PASSWORD: ("link",),
    TemplateName.ALERT: ("unsubscribe",),
    TemplateName.DIGEST: ("unsubscribe",),
    TemplateName.MESSAGES: ("unsubscribe",),
    TemplateName.REVIEWS: ("unsubscribe",),
    TemplateName.SEARCH_ALERTS: ("unsubscribe",),
    TemplateName.BOOKINGS: ("unsubscribe",),
}


def variables(name: TemplateName) -> Mapping[str, frozenset[str]]:
    """What a template may name: variables, and of those that are lists what each of its things
    has.
    """
    first = SAMPLES[name][0].values
    fields = frozenset(field for each in first.get("found", ()) for field in each)
    return {"name": frozenset(), **{each: frozenset() for each in first if each != "found"}} | (
        {"found": fields} if fields else {}
    )
