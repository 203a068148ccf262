"""What may happen to a mail's template: admins say it otherwise, try that out, and take it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from producers.decider import Decider, Rejected
from schemas.log.messages import Role
from schemas.templates import (
    OverrideTemplate,
    RestoreTemplate,
    TemplateCommand,
    TemplateEvent,
    TemplateOverridden,
    TemplateRestored,
    TemplateTested,
    TestTemplate,
)


@dataclass(frozen=True)
class Template:
    """What is said in the shipped text's stead; None: the shipped text."""

    text: str | None = None


def decide(command: TemplateCommand, template: Template) -> Sequence[TemplateEvent]:
    """The events that the command leads to; none when it asks for what already is."""
    if command.asked_role is not Role.ADMIN:
        raise Rejected("role_not_allowed", 403)
    match command:
        case OverrideTemplate():
            return override(command, template)
        case RestoreTemplate():
            return restore(command, template)
        case TestTemplate():
            return test(command, template)
        case _:
            assert_never(command)


def override(command: OverrideTemplate, template: Template) -> Sequence[TemplateEvent]:
    """With what is said already nothing changes."""
    if command.text == template.text:
        return []
    return [
        TemplateOverridden(
            name=command.name,
            language=command.language,
            text=command.text,
            overridden_at=command.asked_at,
        )
    ]


def restore(command: RestoreTemplate, template: Template) -> Sequence[TemplateEvent]:
    """Where the shipped text is said, nothing changes."""
    if template.text is None:
        return []
    return [
        TemplateRestored(name=command.name, language=command.language, restored_at=command.asked_at)
    ]


def test(command: TestTemplate, template: Template) -> Sequence[TemplateEvent]:
    """Everybody is sent it themselves, and nobody has it sent to somebody else."""
    if command.asked_by != str(command.user_id):
        raise Rejected("not_yours", 403)
    return [
        TemplateTested(
            name=command.name,
            language=command.language,
            user_id=command.user_id,
            text=command.text or template.text,
            tested_at=command.asked_at,
        )
    ]


def evolve(template: Template, event: TemplateEvent) -> Template:
    """The template after the event."""
    match event:
        case TemplateOverridden(text=text):
            return Template(text)
        case TemplateRestored():
            return Template()
        case TemplateTested():
            return template
        case _:
            assert_never(event)


templates: Decider[TemplateCommand, Template, TemplateEvent] = Decider(
    initial=Template(), decide=decide, evolve=evolve
)
