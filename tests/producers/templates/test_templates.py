"""What may happen to a template, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from producers.templates import templates
from schemas.log.messages import Language, Role
from schemas.templates import (
    TEXT_LENGTH_MAX,
    OverrideTemplate,
    RestoreTemplate,
    TemplateName,
    TemplateOverridden,
    TemplateRestored,
    TemplateTested,
    TestTemplate,
    template_stream,
)
from tests.producers.spec import Spec

spec = Spec(templates)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADMIN = UUID("01980000-0000-7000-8000-000000000001")
ONE: dict[str, Any] = {"name": TemplateName.WELCOME, "language": Language.TAMIL}


def asked(role: Role = Role.ADMIN) -> dict[str, Any]:
    return {**ONE, "asked_at": NOW, "asked_by": str(ADMIN), "asked_role": role}


def override(text: str = "News\n\nText", **more: Any) -> OverrideTemplate:
    return OverrideTemplate(text=text, **asked(**more))


def restore(**more: Any) -> RestoreTemplate:
    return RestoreTemplate(**asked(**more))


def try_out(text: str | None = None, user_id: UUID = ADMIN, **more: Any) -> TestTemplate:
    return TestTemplate(user_id=user_id, text=text, **asked(**more))


def overridden(text: str = "News\n\nText") -> TemplateOverridden:
    return TemplateOverridden(text=text, overridden_at=NOW, **ONE)


def restored() -> TemplateRestored:
    return TemplateRestored(restored_at=NOW, **ONE)


def tried(text: str | None) -> TemplateTested:
    return TemplateTested(user_id=ADMIN, text=text, tested_at=NOW, **ONE)


def test_NO_13_each_language_of_a_mail_is_a_template_of_its_own() -> None:
    assert override().stream_id == template_stream("welcome", Language.TAMIL)
    assert override().stream_id == "template/welcome.ta"


def test_NO_13_a_text_stands_in_the_shipped_ones_stead_until_it_is_taken_back() -> None:
    spec.given().when(override()).then(overridden())
    spec.given(overridden()).when(override()).then()
    spec.given(overridden()).when(override("Other\n\nText")).then(overridden("Other\n\nText"))
    spec.given(overridden()).when(restore()).then(restored())
    spec.given(overridden(), restored()).when(restore()).then()
    spec.given(overridden(), restored()).when(override()).then(overridden())


def test_NO_13_what_is_tried_out_is_what_was_sent_or_what_is_said_now() -> None:
    spec.given(overridden()).when(try_out("Try\n\nThis")).then(tried("Try\n\nThis"))
    spec.given(overridden()).when(try_out()).then(tried("News\n\nText"))
    spec.given(overridden(), restored()).when(try_out()).then(tried(None))
    spec.given(overridden(), tried("Try\n\nThis")).when(try_out()).then(tried("News\n\nText"))


def test_NO_13_nobody_has_a_test_sent_to_somebody_else() -> None:
    spec.given().when(try_out(user_id=UUID(int=7))).refused("not_yours", 403)


@pytest.mark.parametrize("role", [each for each in Role if each is not Role.ADMIN])
def test_NO_13_templates_are_for_admins(role: Role) -> None:
    for command in (override(role=role), restore(role=role), try_out(role=role)):
        spec.given(overridden("Other\n\nText")).when(command).refused("role_not_allowed", 403)


def test_NO_13_a_text_has_a_bound() -> None:
    override("x" * TEXT_LENGTH_MAX)
    with pytest.raises(ValidationError, match="too long"):
        override("x" * (TEXT_LENGTH_MAX + 1))
