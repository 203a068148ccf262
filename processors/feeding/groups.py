"""Worker groups: which process feeds which projections.

Each group is a consumer group and, on one machine, one process, so that a store in trouble
holds up nobody but its own readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.settings import Settings
from processors.stores.opening import store_name
from projections import PROJECTIONS
from projections.journal.journal import journal
from projections.journal.outcomes import outcomes
from projections.projection import Projection
from schemas.topics import topics_of


@dataclass(frozen=True)
class Group:
    """Projections fed together. The broker holds records back for `gather_ms`, unless there are
    many: a fetch an event costs more, in four groups and the broker, than folding it.
    """

    name: str
    projections: tuple[Projection[Any], ...]
    batch_max: int = 2_000
    gather_ms: int = 0

    @property
    def topics(self) -> tuple[str, ...]:
        """Every topic that one of the projections hears."""
        return topics_of(*(heard for each in self.projections for heard in each.hears))

    def consumer_group(self, settings: Settings) -> str:
        """The Kafka group that shares the partitions among this group's workers."""
        return f"mesh.{settings.store_prefix}{self.name}"


def _kept_in(store: str) -> tuple[Projection[Any], ...]:
    return tuple(
        each
        for each in PROJECTIONS
        if store_name(each) == store and each not in (journal, outcomes)
    )


GROUPS: Mapping[str, Group] = {
    group.name: group
    for group in (
        # The writer reads the journal, so nothing else may hold it up.
        Group("journal", (journal, outcomes), gather_ms=100),
        # Who has written wants to see it: the first event goes out at once.
        Group("pages", _kept_in("postgres")),
        # A refresh makes documents visible once a second: smaller batches gain nothing.
        Group("search", _kept_in("opensearch"), gather_ms=500),
        # Every insert makes a part that must be merged: few and large ones.
        Group("analytics", _kept_in("clickhouse"), batch_max=20_000, gather_ms=1_000),
    )
}
