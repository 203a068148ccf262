"""Whom to call about an item of one's campus: told for a token, once and for ever.

That it is unlocked is the debit itself, in the wallet's own stream: there is no moment at which
the token is gone and the contact is not there, nor one at which it is there for nothing.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from fastapi import Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.backends.machines import Machines, Mesh, machines_of
from api.entry.auth import Caller, SignedIn
from api.entry.commands import Sending, judged
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import CHANGES, SEARCHES, SIGNED_IN, Door
from api.entry.routing import new_router
from api.items.sight import item_offer, item_unknown
from api.listings.sight import Offer
from api.messaging.sight import against_dealing
from api.profiles.sight import is_own, key_of, name_in, visible
from api.wire.changes import answer
from api.wire.problems import Problem, problem_responses
from api.wire.successes import ok, private_json
from projections.identity.users import users
from projections.items.items import items
from projections.profiles import user_profiles
from projections.wallet import wallet_entries
from schemas.wallet import CONTACT_TOKENS, UnlockContact, contact_of

PATH = "/api/items/{item_id:uuid}/contact"
CONTACT = CaughtUp(items, users, user_profiles.user_profiles, wallet_entries.wallet_entries)

router = new_router("wallet")


class ContactAnswer(BaseModel):
    """Whom to call about an item. What its owner has not told is null."""

    item_id: UUID
    seller_id: UUID
    name: str
    email: str
    phone: str | None = Field(description="E.164")


class UnlockedAnswer(BaseModel):
    """It can be read now, by whoever asked."""

    item_id: UUID
    unlocked: Literal[True]


_UNLOCKED = {"item_id": "01980000-0000-7000-8000-000000000011", "unlocked": True}
_CONTACT = {
    "item_id": "01980000-0000-7000-8000-000000000011",
    "seller_id": "01980000-0000-7000-8000-00000000000a",
    "name": "Nimal Perera",
    "email": "nimal@cs.uni.example",
    "phone": "+94771234567",
}
_PROBLEMS = problem_responses(400, 401, 402, 403, 404, 410)


@router.get(
    PATH,
    operation_id="read_item_contact",
    response_model=ContactAnswer,
    responses={**ok("Whom to call", _CONTACT), **_PROBLEMS},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def read_item_contact(
    item_id: UUID, request: Request, mesh: Mesh, caller: SignedIn
) -> Response:
    """The contact that you have unlocked; of your own item what others get to see."""
    await CONTACT.wait(request)
    offer = await item_offer(mesh, caller, item_id)
    if not is_own(caller, offer.seller_id) and not await _is_unlocked(mesh, caller, item_id):
        raise _standing_against(offer) or Problem(
            402, "contact_locked", f"Unlock it for {CONTACT_TOKENS} token: POST to this address"
        )
    return private_json(await _contact(mesh, caller, offer))


@router.post(
    PATH,
    operation_id="unlock_item_contact",
    response_model=UnlockedAnswer,
    responses={
        **ok("Read it at the same address", _UNLOCKED),
        **_PROBLEMS,
        **problem_responses(409),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, CHANGES)
async def unlock_item_contact(
    item_id: UUID, request: Request, sending: Sending, caller: SignedIn
) -> Response:
    """Let yourself be told whom to call about an item, for one token. Once unlocked it stays so:
    asking again costs nothing. Without a token the answer is 402.
    """
    offer, against = await judged(_unlockable(request, caller, item_id))
    user_id = UUID(caller.user_id)
    command = UnlockContact(
        user_id=user_id,
        amount=CONTACT_TOKENS,
        item_id=item_id,
        # Without an offer it is not judged: a repeat meets its first reply, and nothing else is sent.
        seller_id=user_id if offer is None else offer.seller_id,
        **sending.asked,
    )
    reply = await sending.send(command, unless=against)
    return answer(reply, 200, {"item_id": str(item_id), "unlocked": True})


async def _unlockable(request: Request, caller: Caller, item_id: UUID) -> Offer:
    """Whose contact it is; raises what stands against it. What can't be told must cost nothing."""
    mesh = machines_of(request)
    await CONTACT.wait(request)
    offer = await item_offer(mesh, caller, item_id)
    if not await _is_unlocked(mesh, caller, item_id):
        seller_id = str(offer.seller_id)
        against = _standing_against(offer) or await against_dealing(mesh, caller.user_id, seller_id)
        if against is not None:
            raise against
        await _contact(mesh, caller, offer)
    return offer


async def _is_unlocked(mesh: Machines, caller: Caller, item_id: UUID) -> bool:
    return await wallet_entries.is_debited(mesh.postgres, caller.user_id, contact_of(item_id))


def _standing_against(offer: Offer) -> Problem | None:
    """Why nobody can unlock it now."""
    return offer.gone or (None if offer.public else item_unknown())


async def _contact(mesh: Machines, caller: Caller, offer: Offer) -> dict[str, Any]:
    """Raises 404 and 410 problems for an owner who is away or has left."""
    found = await user_profiles.by_id(mesh.postgres, str(offer.seller_id))
    row = visible(found, offer.seller_id, caller)
    key = await key_of(mesh, offer.seller_id)
    phone = row["phone_sealed"]
    return {
        "item_id": str(offer.offer_id),
        "seller_id": str(offer.seller_id),
        "name": name_in(row, key),
        "email": key.unseal("email", row["email_sealed"]),
        "phone": None if phone is None else key.unseal("phone", phone),
    }
