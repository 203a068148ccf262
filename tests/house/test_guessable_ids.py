"""No id that opens something follows from what others know: each place that derives one says why
nobody can make use of guessing it.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[2]
FOLDERS = ("api", "cli", "infra", "processors", "producers", "projections", "schemas")

DERIVED: Final = {
    "api/entry/commands.py:new_id": "from a command's id, which is random or a keyed hash",
    "api/identity/credentials.py:request_reset": "nobody's id; an e-mail's hash is keyed",
    "cli/imports/pictures.py:picture_id_of": "a picture is seen with its listing; its files' names are keyed",
    "cli/imports/translate.py:enveloped": "a command's id, which opens nothing",
    "cli/imports/translate.py:listing_id_of": "a listing's id: it is seen by its status alone",
    "processors/reacting/commands.py:following": "a command's id, which opens nothing",
    "processors/reacting/effects.py:effect_id_of": "an effect's id, which opens nothing",
    "processors/reacting/scheduler.py:_envelope": "a command's id, which opens nothing",
    "processors/reactions/searches/alerts.py:_command": "a command's id, which opens nothing",
    "processors/reactions/searches/digests.py:_command": "a command's id, which opens nothing",
    "processors/reactions/mailing/alerts.py:alert_mail_id": "a mail's id, which opens nothing",
    "schemas/listings.py:seller_account": "nobody's id: whom one talks with about an imported listing",
    "schemas/messaging/__init__.py:conversation_id_of": "to others than its two no conversation exists",
    "schemas/log/recorded.py:_namespace": "an event's id, which opens nothing",
    "schemas/notifications.py:batch_id_of": "a batch's id is asked of nobody",
    "schemas/notifications.py:notification_id_of": "its person alone gets an answer",
    "schemas/reviews.py:review_id_of": "all read reviews",
    "schemas/reviews.py:vote_id_of": "a vote's id is asked of nobody: whoever asks gets their own",
    "schemas/searches.py:match_id_of": "a match's id is asked of nobody",
    "schemas/searches.py:search_id_of": "the owner alone gets an answer; of words a keyed mark is in it",
}


def derivations(path: str, text: str) -> set[str]:
    """Where in this module ids are derived: `path:function`."""
    return {
        f"{path}:{function.name}"
        for function in ast.walk(ast.parse(text))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", getattr(call.func, "attr", "")) in {"uuid3", "uuid5"}
    }


def test_every_derived_id_says_why_it_may_be_guessed() -> None:
    found: set[str] = set()
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):
            found |= derivations(file.relative_to(ROOT).as_posix(), file.read_text("utf-8"))
    assert found == set(DERIVED)


def test_a_new_derived_id_is_noticed() -> None:
    text = "def picture_id(user, key):\n    return uuid.uuid5(SPACE, f'{user}{key}')\n"
    assert derivations("api/x.py", text) == {"api/x.py:picture_id"}
