"""Templates of mails: what whoever runs the place says in the stead of a template that is shipped.

Each has a name, the mail's, and a language, and is a stream of its own. Its text has the form of the
shipped files: the subject, an empty line, and paragraphs. What a text must be like to take the place
of a shipped one is judged by rendering it, before it becomes a command (infra.channels.overriding),
and each time that it is sent.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias, get_args
from uuid import UUID

from pydantic import AwareDatetime

from schemas.log.contexts import Context
from schemas.log.messages import Command, Event, Language
from schemas.values.texts import Lines

TEXT_LENGTH_MAX: Final = 10_000  # characters; the longest that is shipped has a tenth of it

TemplateText = Annotated[str, Lines(TEXT_LENGTH_MAX)]


class TemplateName(StrEnum):
    """The mails that there are; each is shipped in every language."""

    ALERT = "alert"
    BOOKINGS = "bookings"
    DIGEST = "digest"
    MESSAGES = "messages"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a mail's name
    REVIEWS = "reviews"
    SEARCH_ALERTS = "search_alerts"
    VERIFY_EMAIL = "verify_email"
    WELCOME = "welcome"


def template_id(name: str, language: Language) -> str:
    """What a template is called: `welcome.en`, as its file is."""
    return f"{name}.{language}"


def template_stream(name: str, language: Language) -> str:
    """The stream of one template."""
    return f"template/{template_id(name, language)}"


class _TemplateCommand(Command):
    name: TemplateName
    language: Language

    @property
    def stream_id(self) -> str:
        return template_stream(self.name, self.language)


class OverrideTemplate(_TemplateCommand):
    """Say this from now on."""

    kind: Literal["template.override"] = "template.override"
    text: TemplateText


class RestoreTemplate(_TemplateCommand):
    """Say again what is shipped."""

    kind: Literal["template.restore"] = "template.restore"


class TestTemplate(_TemplateCommand):
    """Send it to whoever asks, filled in with what is made up: this text or, without one, what is
    said now.
    """

    __test__ = False  # for pytest, which takes the name for a class of tests

    kind: Literal["template.test"] = "template.test"
    user_id: UUID
    text: TemplateText | None = None


TemplateCommand: TypeAlias = OverrideTemplate | RestoreTemplate | TestTemplate


class _TemplateEvent(Event):
    name: TemplateName
    language: Language


class TemplateOverridden(_TemplateEvent):
    """Mails say this from now on."""

    kind: Literal["template.overridden"] = "template.overridden"
    text: str
    overridden_at: AwareDatetime


class TemplateRestored(_TemplateEvent):
    """What is shipped is said again."""

    kind: Literal["template.restored"] = "template.restored"
    restored_at: AwareDatetime


class TemplateTested(_TemplateEvent):
    """Somebody of the staff wants to see it in their mailbox. Without a text: the shipped one."""

    kind: Literal["template.tested"] = "template.tested"
    user_id: UUID
    text: str | None = None
    tested_at: AwareDatetime


TemplateEvent: TypeAlias = TemplateOverridden | TemplateRestored | TemplateTested

CONTEXT = Context("templates", get_args(TemplateCommand), get_args(TemplateEvent))
