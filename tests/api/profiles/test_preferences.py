"""Preferences over HTTP, against a mesh at work."""

from __future__ import annotations

import pytest

from tests.api.acting.profiling import Person, path_to
from tests.api.acting.selling import pointers_of, reason_of
from tests.api.running import Mesh

DEFAULTS = {
    "language": "en",
    "theme": "system",
    "notifications": True,
    "email_notifications": True,
    "sms_notifications": False,
    "push_notifications": True,
    "show_phone": False,
    "show_email": False,
    "show_presence": True,
}


@pytest.fixture
async def person(mesh: Mesh) -> Person:
    return Person(mesh, await mesh.account("buyer"))


async def test_PR_06_a_new_person_gets_the_defaults(person) -> None:
    answer = await person.ask("GET", path_to(person.account, "/preferences"))
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"id": person.account.user_id, "version": 0, **DEFAULTS}
    assert answer.headers["ETag"] == '"0"'


async def test_PR_06_preferences_are_nobody_elses_business(mesh, person) -> None:
    path = path_to(person.account, "/preferences")
    for role in ("buyer", "admin"):
        other = Person(mesh, await mesh.account(role))
        assert reason_of(await other.ask("GET", path)) == (403, "not_owner")
    assert reason_of(await mesh.client.get(path)) == (401, "token_missing")


@pytest.mark.parametrize("language", ["en", "si", "ta"])
async def test_PR_07_a_person_chooses_a_language(person, language) -> None:
    told = await person.told(0, "/preferences", language=language)
    assert (await person.page(told, more="/preferences"))["language"] == language


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("language", "fr"),
        ("language", "EN"),
        ("language", None),
        ("theme", "pink"),
        ("email_notifications", "maybe"),
        ("email_notifications", None),
        ("currency", "LKR"),
        ("version", 3),
        ("deleted", True),
    ],
)
async def test_PR_07_what_can_not_be_chosen_is_named(person, field, value) -> None:
    answer = await person.tell(0, "/preferences", **{field: value})
    assert (answer.status_code, pointers_of(answer)) == (422, [f"/{field}"])


async def test_PR_07_a_choice_leaves_the_others_as_they_are(person) -> None:
    await person.told(0, "/preferences", email_notifications=False, theme="dark")
    told = await person.told(1, "/preferences", sms_notifications=True)
    found = await person.page(told, more="/preferences")
    changed = {"email_notifications": False, "theme": "dark", "sms_notifications": True}
    assert found == {"id": person.account.user_id, "version": 2, **DEFAULTS, **changed}


async def test_PR_07_a_stale_version_chooses_nothing(person) -> None:
    await person.told(0, "/preferences", theme="dark")
    late = await person.tell(0, "/preferences", theme="light")
    assert reason_of(late) == (412, "version_mismatch")
    path = path_to(person.account, "/preferences")
    assert reason_of(await person.ask("PATCH", path, json={})) == (428, "if_match_required")
