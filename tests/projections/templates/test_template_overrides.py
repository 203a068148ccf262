"""What is said in the stead of shipped templates, as it is kept for reading."""

from __future__ import annotations

from projections.templates.template_overrides import TemplateOverride, template_overrides
from schemas.log.messages import Event, Language
from schemas.templates import template_stream
from tests.producers.templates.test_templates import NOW, overridden, restored
from tests.projections.history import history, rows_of

STREAM = template_stream("welcome", Language.TAMIL)


def row_after(*events: Event) -> TemplateOverride:
    (row,) = rows_of(template_overrides, history(STREAM, *events)).items()
    assert row[0] == "welcome.ta"
    found: TemplateOverride = row[1]
    return found


def test_NO_13_the_last_text_is_the_one_that_is_said() -> None:
    row = row_after(overridden(), overridden("Other\n\nText"))
    assert row == TemplateOverride("welcome", "ta", "Other\n\nText", NOW, 2)


def test_NO_13_what_was_taken_back_is_said_no_more() -> None:
    assert row_after(overridden(), restored()) == TemplateOverride("welcome", "ta", None, NOW, 2)
