"""What schemathesis does as one role: it logs in, asks about what there is, and counts the answers.

SCHEMATHESIS_HOOKS names this module, MESH_FUZZING_RUN a file with a tests.api.fuzzing_people.Run.
The counts go to the file beside it.
"""

from __future__ import annotations

import atexit
import json
import os
import re
from base64 import b64decode, urlsafe_b64decode
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4
from zlib import crc32

import httpx
import schemathesis
from schemathesis.core.parameters import ParameterLocation

from api.entry.consistency import TOKEN_PATTERN

FILE = Path(os.environ["MESH_FUZZING_RUN"])
RUN: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
OFTEN = 4  # three of so many requests are about what there is
# Why a request never came to its handler: nobody was let in, or it had not the form that was due.
BEFORE_THE_HANDLER = frozenset(
    {
        *("token_missing", "token_invalid", "session_ended", "account_deactivated"),
        *("role_not_allowed", "operation_not_allowed", "no_policy", "rate_limited"),
        *("method_not_allowed", "media_type", "json_invalid", "bad_request", "body_too_large"),
        *("invalid", "http_error", "if_match_required"),
    }
)
NO_ROUTE = "There is nothing at this path"

TALLY: dict[str, Counter[str]] = {}
ISSUED: set[str | None] = set() if RUN["login"] else {None}
CLIENT = httpx.Client(base_url=RUN["url"], timeout=30)


def asked(path: str, body: dict[str, str]) -> dict[str, Any]:
    answer = CLIENT.post(path, json=body)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def log_in(login: dict[str, str]) -> dict[str, Any]:
    return asked("/api/auth/login", login)


def shown(token: str) -> str:
    """What shows that a request is this role's."""
    header = f"Bearer {token}"
    ISSUED.add(header)
    return header


if RUN["login"]:

    @schemathesis.auth(retry_on=[401])
    class LoggedIn:
        """A token of the role's; another one when its session has ended."""

        def get(self, _case: Any, _context: Any) -> str:
            return shown(log_in(RUN["login"])["access_token"])

        def set(self, case: Any, header: str, _context: Any) -> None:
            case.headers["Authorization"] = header


@schemathesis.hook
def after_load_schema(_context: Any, schema: Any) -> None:
    """Or nobody would join and log in."""
    schema.config.auth.auto_signup = False


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Make what is right in its form be about something that there is."""
    operation_id = operation_of(case)
    if RUN["fresh"] and case.headers.get("Authorization") in ISSUED:
        as_somebody_new(case)
    chance = crc32(repr((case.path_parameters, case.query, case.body)).encode("utf-8", "replace"))
    if chance % OFTEN or operation_id in RUN["always"]:
        about_what_there_is(case, RUN["paths"].get(operation_id), chance)
    if chance % OFTEN:
        at_any_version(case)
        with_known_fields(case, operation_id, chance)
    with_credentials(case, operation_id)


def operation_of(case: Any) -> str:
    name: str = case.operation.definition.raw["operationId"]
    return name


def is_right(case: Any, location: ParameterLocation) -> bool:
    """Whether this part of a request is what the schema allows."""
    return case.meta is None or not case.meta.is_negative_at(location)


def as_somebody_new(case: Any) -> None:
    login = {"email": f"{uuid4().hex}@example.org", "password": RUN["login"]["password"]}
    joined = asked("/api/auth/register", {**login, "name": "Fuzzing", "role": "seller"})
    token = log_in(login)["access_token"]
    claims = token.split(".")[1]
    session = json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sid"]
    case.headers["Authorization"] = shown(token)
    if is_right(case, ParameterLocation.PATH):
        own = {"user_id": joined["user"]["id"], "session_id": session}
        case.path_parameters = {name: own[name] for name in case.path_parameters}


def about_what_there_is(case: Any, known: list[str] | None, chance: int) -> None:
    if known and is_right(case, ParameterLocation.PATH):
        ids = known[chance // OFTEN % len(known)].split("/")
        names = re.findall(r"\{(\w+)\}", case.operation.path)
        case.path_parameters = dict(zip(names, ids, strict=True))


def at_any_version(case: Any) -> None:
    """Whatever the version, under a key of its own, and without waiting for a place in the log:
    that of a transaction's end, which nobody was ever given, is waited for in vain.
    """
    if not is_right(case, ParameterLocation.HEADER):
        if re.fullmatch(TOKEN_PATTERN, str(case.headers.get("Consistency-Token", ""))):
            del case.headers["Consistency-Token"]
        return
    for name in ("Idempotency-Key", "Consistency-Token"):
        case.headers.pop(name, None)
    if "If-Match" in case.headers:
        case.headers["If-Match"] = "*"


def with_known_fields(case: Any, operation_id: str, chance: int) -> None:
    if has_right_body(case):
        known = {
            name: values[chance // OFTEN % len(values)]
            for name, values in RUN["bodies"].get(operation_id, {}).items()
        }
        tell_of(case, {**known, **pictures(case.body)})


def with_credentials(case: Any, operation_id: str) -> None:
    """Always: without them nobody is let in, as tests/api/gate/test_forged_tokens.py has it."""
    if has_right_body(case):
        tell_of(case, credentials(operation_id))


def tell_of(case: Any, fields: dict[str, Any]) -> None:
    """State these fields in place: of a body that it sees replaced schemathesis thinks anew, and it
    takes none with a file in it for right.
    """
    case.body.update(fields)
    case._sync_validated_hashes()


def has_right_body(case: Any) -> bool:
    """Whether all of the request is as the schema has it: of one that is wrong on purpose nothing
    that is wrong may be mended.
    """
    right = case.meta is None or case.meta.generation.mode.is_positive
    return right and isinstance(case.body, dict)


def credentials(operation_id: str) -> dict[str, str]:
    match operation_id:
        case "log_in":
            return dict(RUN["guest"])
        case "refresh_session":
            return {"refresh_token": log_in(RUN["guest"])["refresh_token"]}
        case "change_password":
            return {"current_password": RUN["login"]["password"]}
    return {}


def pictures(body: dict[str, Any]) -> dict[str, Any]:
    picture = b64decode(RUN["picture"])
    files = {
        "images": [picture],
        "avatar": picture,
        "frames": [picture] * 12,
        "video": b"\0\0\0\x18ftypisom and no more",
    }
    return {name: files[name] for name in body if name in files}


@schemathesis.hook
def after_call(_context: Any, case: Any, response: Any) -> None:
    """Count what came back. Credentials are dropped and forged on purpose: those don't count, but
    nobody at all may be told 5xx.
    """
    tally = TALLY.setdefault(operation_of(case), Counter())
    if response.status_code >= 500:
        tally["broken"] += 1
    as_documented = case.method.upper() == case.operation.method.upper()
    if as_documented and response.request.headers.get("Authorization") in ISSUED:
        tally["asked"] += 1
        tally["reached"] += came_to_the_handler(response)
        tally["shut"] += response.status_code in (401, 403, 429)
        tally[str(response.status_code)] += 1


def came_to_the_handler(response: Any) -> bool:
    if response.status_code < 400:
        return True
    told = response.json()
    return told["reason"] not in BEFORE_THE_HANDLER and told["detail"] != NO_ROUTE


@atexit.register
def tell() -> None:
    FILE.with_suffix(".tally").write_text(json.dumps(TALLY), "utf-8")
