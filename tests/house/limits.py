"""How much of what anybody may have, as the code stands: writes `docs/limits.md`.

python -m tests.house.limits
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from api.backends.rate_limits import POLICIES, By, WithoutRedis
from api.entry.paging import DEPTH_MAX, LIMIT_MAX
from api.identity.api_keys import KEYS_MAX
from api.identity.export import EVENTS_MAX
from api.listings.spins import FRAME_BYTES_MAX
from api.messaging.events import CHATS_MAX
from api.messaging.realtime import PACKET_BYTES_MAX
from api.wire.problems import BODY_BYTES_MAX
from infra.settings import Settings
from producers.identity.credentials import IDENTITIES_MAX
from schemas.bookings import NOTE_LENGTH_MAX, PENDING_MAX
from schemas.comparisons import COMPARED_MAX
from schemas.favorites import FAVORITES_MAX
from schemas.items import IMAGES_MAX
from schemas.listings import FRAMES_MAX
from schemas.media import (
    ORIGINAL_BYTES_MAX,
    VIDEO_BYTES_MAX,
    VIDEO_SECONDS_MAX,
    VIDEO_SIDE_MAX,
)
from schemas.messaging import CONTENT_LENGTH_MAX
from schemas.messaging.blocks import BLOCKED_MAX
from schemas.messaging.quick_replies import QUICK_REPLIES_MAX, TEMPLATE_LENGTH_MAX
from schemas.reviews import RESPONSE_LENGTH_MAX
from schemas.searches import SEARCHES_MAX
from schemas.sharing import LINK_HOURS_MAX, SHARES_MAX
from tests.api.operations import DOOR_OF
from tests.house.sources import ROOT

PAGE = ROOT / "docs" / "limits.md"

_INTRODUCTION = """# Limits

Written by `python -m tests.house.limits` from the code; do not edit.

## How often

Each operation spends the policies that its door (`api/entry/doors.py`) names, over a moving window; the
answer tells what is left (`RateLimit`) and a refused one when to come again (`Retry-After`). The
settings `LIMIT_…` change them; those that `make up` starts with let one machine ask far more (its
`settings.json` has them). Guessing passwords is bounded by `auth`, for one account from one
address, and by `address`, for all accounts from one address; a changed password asks for the
present one and spends `auth`, too.

| policy | by default | of | without Redis | operations |
|---|---|---|---|---|"""
_REST = """
## How much

| what | at most |
|---|---|"""

AMOUNTS: Final = {
    "API keys of one person": KEYS_MAX,
    "favourites of one person": FAVORITES_MAX,
    "saved searches of one person": SEARCHES_MAX,
    "listings that one person compares": COMPARED_MAX,
    "open links of one person to their favourites": SHARES_MAX,
    "open links of one person to what they compare": SHARES_MAX,
    "days that such a link lasts": LINK_HOURS_MAX // 24,
    "identities of one person at providers": IDENTITIES_MAX,
    "images of an item": IMAGES_MAX,
    "requests for one item that wait for an answer": PENDING_MAX,
    "characters of a note to a booking": NOTE_LENGTH_MAX,
    "bytes of an image": ORIGINAL_BYTES_MAX,
    "frames of a view all around a listing": FRAMES_MAX,
    "bytes of such a frame": FRAME_BYTES_MAX,
    "bytes of a video": VIDEO_BYTES_MAX,
    "seconds of a video": VIDEO_SECONDS_MAX,
    "pixels of a video, either way": VIDEO_SIDE_MAX,
    "bytes of any other body": BODY_BYTES_MAX,
    "bytes of a socket's packet": PACKET_BYTES_MAX,
    "conversations that one socket listens to": CHATS_MAX,
    "people whom one person has blocked": BLOCKED_MAX,
    "quick replies of one person": QUICK_REPLIES_MAX,
    "characters of a quick reply": TEMPLATE_LENGTH_MAX,
    "characters of a message": CONTENT_LENGTH_MAX,
    "characters of a response to a review": RESPONSE_LENGTH_MAX,
    "rows of a page": LIMIT_MAX,
    "rows that page numbers reach": DEPTH_MAX,
    "events of an export": EVENTS_MAX,
}
_WHOSE: Final = {
    By.ADDRESS: "one address",
    By.ACCOUNT: "one account from one address",
    By.CALLER: "one person, or address",
}
_AWAY: Final = {WithoutRedis.REFUSE: "refused", WithoutRedis.ALLOW: "let in"}


def page() -> str:
    """The whole of docs/limits.md."""
    unlimited = sorted(operation for operation, door in DOOR_OF.items() if not door.limits)
    amounts = [f"| {what} | {most:,} |" for what, most in AMOUNTS.items()]
    spared = f"\nNot counted: {', '.join(f'`{each}`' for each in unlimited)}."
    return "\n".join([_INTRODUCTION, *_policies(), spared, _REST, *amounts, ""])


def _policies() -> Iterator[str]:
    for policy, away in POLICIES.items():
        spent = {
            (limit.by, operation)
            for operation, door in DOOR_OF.items()
            for limit in door.limits
            if limit.policy == policy
        }
        default = Settings.model_fields[f"limit_{policy}"].default
        whose = " · ".join(sorted({_WHOSE[by] for by, _ in spent}))
        operations = ", ".join(f"`{operation}`" for _, operation in sorted(spent))
        yield f"| `{policy}` | {default} | {whose} | {_AWAY[away]} | {operations} |"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
