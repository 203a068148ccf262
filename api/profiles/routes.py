"""Profiles: what people tell of themselves. Others see of it what is public; only the person
changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from api.backends.machines import Machines, Mesh
from api.entry.auth import Caller, MaybeCaller, SignedIn
from api.entry.commands import Sending
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp
from api.entry.doors import (
    ANYONE,
    CHANGES,
    MODERATORS,
    SEARCHES,
    SIGNED_IN,
    TRADERS,
    UNLIMITED,
    Door,
)
from api.entry.routing import new_router
from api.profiles.avatars import avatar_urls
from api.profiles.bodies import (
    CHANGED,
    SELLER,
    STATS,
    USER,
    ProfileAnswer,
    ProfileChangedAnswer,
    ProfileChanges,
    SellerAnswer,
    SellerChanges,
    StatsAnswer,
)
from api.profiles.sight import is_own, key_of, name_in, refuse_others, visible
from api.wire.changes import changed
from api.wire.etags import versioned
from api.wire.forms import cleared, stated
from api.wire.problems import Problem, problem_responses
from api.wire.successes import ok
from infra.vault.vault import PersonKey
from projections.favorites.favorites import favorites
from projections.identity.users import users
from projections.listings.listing_page import listing_page
from projections.listings.listing_views import listing_views
from projections.messaging import conversations
from projections.profiles import seller_profiles, user_profiles, user_stats
from projections.profiles.user_preferences import user_preferences
from projections.reviews.reviews import reviews
from schemas.profiles import (
    ProfileTexts,
    SealedText,
    SellerTexts,
    UpdateProfile,
    UpdateSellerInfo,
)

ONE = "/api/users/{user_id:uuid}"
PROFILES = CaughtUp(users, user_profiles.user_profiles, user_preferences)
SELLER_PROFILES = CaughtUp(users, seller_profiles.seller_profiles, conversations.conversations)
FIGURES = CaughtUp(
    users, listing_page, listing_views, favorites, reviews, conversations.conversations
)

_WRITE_PROBLEMS = problem_responses(400, 401, 403, 409, 410, 412, 415, 428)

router = new_router("profiles")


@router.get(
    ONE,
    operation_id="read_user",
    response_model=ProfileAnswer,
    response_model_exclude_unset=True,
    responses={**ok("The person", USER, headers=["ETag"]), **problem_responses(400, 401, 404, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, UNLIMITED)
async def read_user(user_id: UUID, request: Request, mesh: Mesh, caller: MaybeCaller) -> Response:
    """A person as others see them, or all of it for the person, whose answer has an ETag."""
    await PROFILES.wait(request)
    row = visible(await user_profiles.by_id(mesh.postgres, str(user_id)), user_id, caller)
    key = await key_of(mesh, user_id)
    body = _public(row, key)
    own = is_own(caller, user_id)
    if own or row["show_phone"]:
        body["phone"] = _text(key, row, "phone")
    if own or row["show_email"]:
        body["email"] = key.unseal("email", row["email_sealed"])
    if own:
        body |= {name: row[name] for name in ("status", "email_verified", "version")}
    return versioned(body, row["version"] if own else None)


@router.put(
    ONE,
    operation_id="replace_user_fields",
    response_model=ProfileChangedAnswer,
    responses={**ok("Done; `version` is the profile's now", CHANGED), **_WRITE_PROBLEMS},
)
@router.patch(
    ONE,
    operation_id="update_user",
    response_model=ProfileChangedAnswer,
    responses={**ok("Done; `version` is the profile's now", CHANGED), **_WRITE_PROBLEMS},
)
@Door(SIGNED_IN, CHANGES)
async def update_user(
    user_id: UUID, body: ProfileChanges, sending: Sending, mesh: Mesh, caller: SignedIn
) -> Response:
    """Change the fields that are sent; null empties one. PUT and PATCH do the same. Needs
    `If-Match`.
    """
    key = await own_key(mesh, caller, user_id)
    command = UpdateProfile(
        user_id=user_id,
        sealed=ProfileTexts(**_sealed(key, stated(body))),
        clear=cleared(body),
        **sending.asked,
    )
    reply = await sending.send(command, if_match_required=True)
    return changed(reply, user_id)


@router.get(
    f"{ONE}/seller",
    operation_id="read_seller",
    response_model=SellerAnswer,
    response_model_exclude_unset=True,
    responses={
        **ok("The seller", SELLER, headers=["ETag"]),
        **problem_responses(400, 401, 404, 410),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(ANYONE, UNLIMITED)
async def read_seller(user_id: UUID, request: Request, mesh: Mesh, caller: MaybeCaller) -> Response:
    """A seller's business and what others say of it; 404 for whoever does not sell."""
    await SELLER_PROFILES.wait(request)
    row = visible(await seller_profiles.by_id(mesh.postgres, str(user_id)), user_id, caller)
    if row["role"] not in TRADERS:
        raise Problem(404, "not_a_seller", "This person does not sell")
    key = await key_of(mesh, user_id)
    own = is_own(caller, user_id)
    body = {
        "id": row["key"],
        "business_name": _text(key, row, "business_name"),
        **{name: row[name] for name in ("rating", "review_count", "verified", "created_at")},
        **await _responses(mesh, user_id),
    }
    if own:
        body["version"] = row["version"]
    return versioned(body, row["version"] if own else None)


@router.put(
    f"{ONE}/seller",
    operation_id="replace_seller_fields",
    response_model=ProfileChangedAnswer,
    responses={**ok("Done", CHANGED), **_WRITE_PROBLEMS},
)
@router.patch(
    f"{ONE}/seller",
    operation_id="update_seller",
    response_model=ProfileChangedAnswer,
    responses={**ok("Done", CHANGED), **_WRITE_PROBLEMS},
)
@Door(SIGNED_IN, CHANGES)
async def update_seller(
    user_id: UUID, body: SellerChanges, sending: Sending, mesh: Mesh, caller: SignedIn
) -> Response:
    """Change what is told of the business. Needs `If-Match`."""
    key = await own_key(mesh, caller, user_id)
    command = UpdateSellerInfo(
        user_id=user_id,
        sealed=SellerTexts(**_sealed(key, stated(body))),
        clear=cleared(body),
        **sending.asked,
    )
    reply = await sending.send(command, if_match_required=True)
    return changed(reply, user_id)


@router.get(
    f"{ONE}/stats",
    operation_id="read_user_stats",
    response_model=StatsAnswer,
    responses={**ok("The figures", STATS), **problem_responses(400, 401, 403, 404, 410)},
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, SEARCHES)
async def read_user_stats(
    user_id: UUID, request: Request, mesh: Mesh, caller: SignedIn
) -> Response:
    """What the person has done, in figures; for the person and staff."""
    if caller.role not in MODERATORS:
        refuse_others(caller, user_id)
    await FIGURES.wait(request)
    visible(await seller_profiles.by_id(mesh.postgres, str(user_id)), user_id, caller)
    found = await user_stats.of_seller(mesh.postgres, str(user_id))
    return versioned({"id": user_id, **asdict(found), **await _responses(mesh, user_id)}, None)


async def own_key(mesh: Machines, caller: Caller, user_id: UUID) -> PersonKey:
    """The caller's own key, to seal what they tell of themselves."""
    refuse_others(caller, user_id)
    return await key_of(mesh, user_id)


def _sealed(key: PersonKey, stated: Mapping[str, str]) -> dict[str, SealedText]:
    return {
        name: SealedText(text=key.seal(name, text), mark=key.mark(name, text))
        for name, text in stated.items()
    }


async def _responses(mesh: Machines, user_id: UUID) -> dict[str, float | int | None]:
    """How a seller answers those who ask."""
    found = await conversations.responses_of(mesh.postgres, str(user_id), datetime.now(UTC))
    return {"response_rate": found.rate, "response_minutes": _minutes(found.median_s)}


def _minutes(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds / 60)


def _text(key: PersonKey, row: Mapping[str, Any], name: str) -> str | None:
    sealed = row[f"{name}_sealed"]
    return None if sealed is None else key.unseal(name, sealed)


def _public(row: Mapping[str, Any], key: PersonKey) -> dict[str, Any]:
    """What everyone sees."""
    return {
        "id": row["key"],
        "full_name": name_in(row, key),
        "location": _text(key, row, "location"),
        "bio": _text(key, row, "bio"),
        **avatar_urls(row["avatar"], row["avatar_small"]),
        **{name: row[name] for name in ("role", "market", "created_at")},
    }
