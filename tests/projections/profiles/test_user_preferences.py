from __future__ import annotations

from typing import Any
from uuid import UUID

from projections.profiles.user_preferences import UserPreferences, user_preferences
from schemas.identity import UserDeleted, user_stream
from schemas.log.messages import Language
from schemas.profiles import PreferenceChoices, PreferencesUpdated, Theme, preferences_stream
from tests.projections.history import BEGINNING, history, recorded, rows_of

USER = UUID(int=2)
KEY = str(USER)
END = recorded(
    user_stream(USER),
    5,
    UserDeleted(user_id=USER, email_hash="0" * 64, deleted_at=BEGINNING),
    offset=9,
)


def chose(**choices: Any) -> PreferencesUpdated:
    return PreferencesUpdated(
        user_id=USER, choices=PreferenceChoices(**choices), updated_at=BEGINNING
    )


def test_PR_13_the_table_has_every_column_of_both_sources() -> None:
    columns = {column.name for column in user_preferences.target.table.columns}
    named = {"key", "user_id", "notifications", "language", "theme"}
    assert columns >= named | {"email_notifications", "sms_notifications", "push_notifications"}


def test_PR_06_what_was_never_chosen_is_as_by_default() -> None:
    row = rows_of(user_preferences, history(preferences_stream(USER), chose(theme=Theme.DARK)))[KEY]
    assert row == UserPreferences(user_id=KEY, version=1, theme=Theme.DARK)
    assert (row.language, row.show_phone, row.show_email) == (None, False, False)


def test_PR_07_the_last_choice_holds() -> None:
    choices = [
        chose(language=Language.TAMIL, email_notifications=False),
        chose(language=Language.SINHALA),
    ]
    row = rows_of(user_preferences, history(preferences_stream(USER), *choices))[KEY]
    assert (row.language, row.email_notifications, row.version) == ("si", False, 2)


def test_PR_10_of_the_deleted_no_choice_is_left_in_whatever_order_it_is_heard() -> None:
    stream = history(preferences_stream(USER), chose(show_phone=True))
    for order in ([*stream, END], [END, *stream]):
        assert rows_of(user_preferences, order) == {KEY: UserPreferences(KEY, deleted=True)}
