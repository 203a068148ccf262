"""Preferences: how a person wants things. Theirs alone to read and to change."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from api.backends.machines import Mesh
from api.entry.auth import SignedIn
from api.entry.commands import Sending
from api.entry.consistency import OPENAPI_EXTRA, CaughtUp, awaited_row
from api.entry.doors import CHANGES, SIGNED_IN, UNLIMITED, Door
from api.entry.routing import new_router
from api.profiles.bodies import (
    CHANGED,
    PREFERENCES,
    PreferenceChanges,
    PreferencesAnswer,
    ProfileChangedAnswer,
)
from api.profiles.sight import refuse_others, visible
from api.wire.changes import changed
from api.wire.etags import versioned
from api.wire.forms import stated
from api.wire.problems import problem_responses
from api.wire.successes import ok
from projections.identity import users
from projections.profiles import user_preferences
from schemas.profiles import PreferenceChoices, UpdatePreferences

PATH = "/api/users/{user_id:uuid}/preferences"
CHOSEN = CaughtUp(users.users, user_preferences.user_preferences)
_WRITE_PROBLEMS = problem_responses(400, 401, 403, 409, 412, 415, 428)

router = new_router("profiles")


@router.get(
    PATH,
    operation_id="read_preferences",
    response_model=PreferencesAnswer,
    responses={
        **ok("What holds", PREFERENCES, headers=["ETag"]),
        **problem_responses(400, 401, 403, 410),
    },
    openapi_extra=OPENAPI_EXTRA,
)
@Door(SIGNED_IN, UNLIMITED)
async def read_preferences(
    user_id: UUID, request: Request, mesh: Mesh, caller: SignedIn
) -> Response:
    """What holds for the caller, chosen or by default; the language is at first the one that
    they registered in.
    """
    refuse_others(caller, user_id)
    await CHOSEN.wait(request)
    person = await awaited_row(mesh, lambda: users.by_id(mesh.postgres, caller.user_id), "users")
    visible(person, user_id, caller)
    found = asdict(await user_preferences.by_id(mesh.postgres, caller.user_id))
    del found["deleted"]
    body = {
        "id": found.pop("user_id"),
        **found,
        "language": found["language"] or person["language"],
    }
    return versioned(body, found["version"])


@router.put(
    PATH,
    operation_id="replace_preferences",
    response_model=ProfileChangedAnswer,
    responses={**ok("Done", CHANGED), **_WRITE_PROBLEMS},
)
@router.patch(
    PATH,
    operation_id="update_preferences",
    response_model=ProfileChangedAnswer,
    responses={**ok("Done", CHANGED), **_WRITE_PROBLEMS},
)
@Door(SIGNED_IN, CHANGES)
async def update_preferences(
    user_id: UUID, body: PreferenceChanges, sending: Sending, caller: SignedIn
) -> Response:
    """Choose what is sent; the rest stays. PUT and PATCH do the same. Needs `If-Match`."""
    refuse_others(caller, user_id)
    command = UpdatePreferences(
        user_id=user_id, choices=PreferenceChoices(**stated(body)), **sending.asked
    )
    reply = await sending.send(command, if_match_required=True)
    return changed(reply, user_id)
