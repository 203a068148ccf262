"""What mails say in the stead of their shipped templates. Postgres, one row per template that was
ever said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, assert_never

from sqlalchemy import MetaData, Table

from projections.postgres_columns import columns_of
from projections.projection import PostgresTable, Projection
from projections.reads import Reads
from schemas.log.recorded import Recorded
from schemas.templates import TemplateOverridden, TemplateRestored

Heard: TypeAlias = TemplateOverridden | TemplateRestored

# The source design's table `email_templates` (NO-13): what stands in the stead of a shipped file,
# as its name, its subject and its body. An empty line ends the subject.
EMAIL_TEMPLATES_VIEW = r"""
    CREATE OR REPLACE VIEW reads.email_templates AS
    SELECT key AS id, name, language,
           split_part(text, E'\n\n', 1) AS subject,
           ltrim(substr(text, length(split_part(text, E'\n\n', 1)) + 1), E'\n') AS body
    FROM {view}
    WHERE text IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class TemplateOverride:
    """One template; without a `text` the shipped one is said again."""

    name: str
    language: str
    text: str | None
    changed_at: datetime
    version: int


def key(recorded: Recorded[Heard]) -> str:
    """The template's id, `welcome.en`."""
    return recorded.stream_id.partition("/")[2]


def fold(_row: TemplateOverride | None, recorded: Recorded[Heard]) -> TemplateOverride:
    """The template after the event."""
    match recorded.event:
        case TemplateOverridden(text=text, overridden_at=moment):
            said: str | None = text
        case TemplateRestored(restored_at=moment):
            said = None
        case _:
            assert_never(recorded.event)
    event = recorded.event
    return TemplateOverride(event.name.value, event.language.value, said, moment, recorded.version)


template_overrides = Projection(
    name="template_overrides",
    version=1,
    hears=(TemplateOverridden, TemplateRestored),
    key=key,
    fold=fold,
    row=TemplateOverride,
    target=PostgresTable(
        Table("template_overrides", MetaData(), *columns_of(TemplateOverride)),
        extras=(EMAIL_TEMPLATES_VIEW,),
    ),
)

_TEXT = "SELECT text FROM reads.template_overrides WHERE key = $1"
_BY_ID = "SELECT text, changed_at, version FROM reads.template_overrides WHERE key = $1"
_ALL = """
    SELECT key, changed_at FROM reads.template_overrides
    WHERE text IS NOT NULL AND key = ANY($1)
"""


async def text_of(reads: Reads, template_id: str) -> str | None:
    """What is said in the stead of a shipped template; None: nothing is."""
    row = await reads.fetchrow(_TEXT, template_id)
    return None if row is None else row["text"]


async def by_id(reads: Reads, template_id: str) -> Mapping[str, Any] | None:
    """One template, if it was ever said otherwise."""
    return await reads.fetchrow(_BY_ID, template_id)


async def overridden(reads: Reads, ids: list[str]) -> Mapping[str, datetime]:
    """Which of these are said otherwise now, and since when."""
    return {row["key"]: row["changed_at"] for row in await reads.fetch(_ALL, ids)}
