"""What admins send and get of templates, with examples."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from api.wire.forms import Body
from schemas.log.messages import Language
from schemas.templates import TemplateName, TemplateText

TEXT: Final = (
    "Welcome to the market\n\nHello{% if name %} {{ name }}{% endif %},\n\ngood to see you."
)
SAID: Final = {
    "about": "with a name",
    "subject": "Welcome to the market",
    "text": "Hello Example Person,\n\ngood to see you.\n",
    "html": "<!doctype html>…",
}
CHANGED: Final = {"id": "welcome.en", "version": 3}
TEMPLATE: Final[dict[str, Any]] = {
    "id": "welcome.en",
    "name": "welcome",
    "language": "en",
    "is_overridden": True,
    "changed_at": "2026-03-01T12:00:00Z",
    "variables": {"name": []},
    "must_have": [],
}


def _as_lines(text: Any) -> Any:
    """Lines end as in the shipped files, whichever system they were written on."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if isinstance(text, str) else text


Sent = Annotated[TemplateText, BeforeValidator(_as_lines)]


class TemplateOverrideBody(Body):
    """What is to be said: the subject, an empty line, and paragraphs with empty lines between."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": TEXT}]})

    text: Sent


class TemplateDraft(Body):
    """A text that is tried out; without one, what is said now."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": TEXT}, {}]})

    text: Sent | None = None


class TemplateAnswer(BaseModel):
    """One template: whether something is said in the stead of what is shipped, the variables it may
    name, with the fields that each thing of a list has, and those that must stand in a paragraph of
    their own.
    """

    id: str
    name: TemplateName
    language: Language
    is_overridden: bool
    changed_at: AwareDatetime | None = Field(description="Since when it is said otherwise")
    variables: dict[str, list[str]]
    must_have: list[str]


class WholeTemplateAnswer(TemplateAnswer):
    """The same with its texts; `version` is 0 until it is said otherwise for the first time."""

    text: str = Field(description="What mails say now")
    shipped_text: str
    version: int


class TemplatesAnswer(BaseModel):
    """All that there are, by name and language."""

    items: list[TemplateAnswer]


class TemplateChangedAnswer(BaseModel):
    """What was changed, and the version it has now."""

    id: str
    version: int


class SaidAnswer(BaseModel):
    """What a mail would say in one case, `about`; all that it names is made up."""

    about: str
    subject: str
    text: str
    html: str


class TemplatePreviewAnswer(BaseModel):
    """What a mail would say in each case."""

    items: list[SaidAnswer]
