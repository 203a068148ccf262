"""Templates of messages: which placeholders they may hold, and what stands in their place.

There is a closed list of placeholders, and each is replaced once: what is put in is never looked
through for others, and no part of a template is ever evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator

from api.backends.machines import Machines
from api.messaging.views import Row, name_of, offer_shown
from api.profiles.sight import key_of, people_of
from api.wire.problems import Problem
from projections.messaging import conversations, quick_replies
from schemas.messaging.quick_replies import TEMPLATE_LENGTH_MAX
from schemas.refusals import told_of
from schemas.values.money import major_units
from schemas.values.texts import Lines, refusal

PLACEHOLDERS: Final = ("listing.title", "listing.price", "buyer.name", "seller.name")
USES_MAX = 10  # of placeholders in one template: filled it still is a message
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_KNOWN: Final = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)


def _judged(text: str) -> str:
    uses = _PLACEHOLDER.findall(text)
    if set(uses) - set(PLACEHOLDERS):
        told = f"holds a placeholder that there is not: there are {_KNOWN}"
        raise refusal(told)
    if len(uses) > USES_MAX:
        told = f"holds too many placeholders: at most {USES_MAX}"
        raise refusal(told)
    return text


Template = Annotated[str, Lines(TEMPLATE_LENGTH_MAX), AfterValidator(_judged)]


def filled(template: str, value_of: Callable[[str], str]) -> str:
    """The template with its placeholders replaced, all of them at once."""
    return _PLACEHOLDER.sub(lambda found: value_of(found[1]), template)


async def words_of(mesh: Machines, user_id: str, template_id: UUID, chat: Mapping[str, Any]) -> str:
    """What a template of this person's says in this conversation, of which they are one of the two,
    filled with what they may see; raises problems where it says nothing now.
    """
    sealed = await quick_replies.content_of(mesh.postgres, user_id, str(template_id))
    if sealed is None:
        waiting = await mesh.withheld.of(quick_replies.quick_replies.name, user_id, why=False)
        raise waiting or Problem(404, "quick_reply_unknown", told_of("quick_reply_unknown"))
    template = (await key_of(mesh, UUID(user_id))).unseal("content", sealed)
    values = await _values(mesh, user_id, chat)
    missing = [each for each in _PLACEHOLDER.findall(template) if values.get(each) is None]
    if missing:
        raise Problem(
            409, "quick_reply_empty", f"{{{missing[0]}}} stands for nothing here: write it yourself"
        )
    return filled(template, lambda name: str(values[name]))


async def _values(mesh: Machines, user_id: str, chat: Row) -> dict[str, str | None]:
    buyer, seller = str(chat["buyer_id"]), str(chat["seller_id"])
    row = await conversations.offer_of(mesh.postgres, str(chat["listing_id"]))
    card = offer_shown(row, "buyer" if user_id == buyer else "seller")
    people = await people_of(mesh, (buyer, seller))
    return {
        "listing.title": card["title"],
        "listing.price": _price(card["price_minor"], card["currency"]),
        "buyer.name": people.name(buyer),
        "seller.name": name_of(row, people, seller),
    }


def _price(amount_minor: int | None, currency: str | None) -> str | None:
    """`USD 85,000.00`, as everybody reads it."""
    if amount_minor is None or currency is None:
        return None
    return f"{currency} {major_units(amount_minor, currency):,f}"
