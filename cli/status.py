"""`mesh status`: what runs, how far every read model is, what is parked.

Each part is asked for by itself and within a bound: what can't be reached is named in
`errors`, and the rest is told all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import orjson
import typer

from cli.lags import Tails, lag_of, read_tails
from cli.tables import print_table
from infra.clients.postgres import open_pool
from infra.settings import (
    Settings,
    SettingsError,
    is_state_folder,
    settings,
    state_folder,
)
from infra.stack import daemons
from infra.stack.processes import PROCESSES, SUPERVISOR
from infra.stack.servers.roster import SERVERS
from infra.stack.state import State
from processors.feeding.generations import (
    GenerationStatus,
    Registered,
    list_generations,
    replay_due,
)
from processors.feeding.reading import open_log
from processors.reacting.positions import Positions
from processors.reactions.reactor import EFFECTS, REACTIONS
from processors.stores.opening import opened_stores, store_name
from processors.stores.port import Generation, Watermark, Watermarks
from projections import PROJECTIONS
from projections.projection import Projection
from schemas.topics import TOPICS

T = TypeVar("T")

TIMEOUT_S = 5.0  # of each part
TAILS_TIMEOUT_S = 15.0  # of the log's: its partitions are many


@dataclass
class _Found:
    """What could be found out, and what could not."""

    errors: list[str] = field(default_factory=list)

    async def part(
        self, name: str, work: Awaitable[T], otherwise: T, timeout_s: float = TIMEOUT_S
    ) -> T:
        """A part's answer, or the other value, noted as an error."""
        try:
            async with asyncio.timeout(timeout_s):
                return await work
        except Exception as error:  # noqa: BLE001 - a status must not fail with what it reports
            text = f"{name}: {type(error).__name__}"
            self.errors.append(f"{text}: {error}" if str(error) else text)
            return otherwise


def register(app: typer.Typer) -> None:
    """Add this file's command."""
    app.command()(status)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """What runs, how far every read model is, what is parked. Ends with code 0, whatever is
    wrong; 2 where there is no mesh.
    """
    try:
        found = asyncio.run(mesh_status(settings()))
    except SettingsError as error:
        # After a first `up` that failed there are no settings yet, and things that run.
        if not is_state_folder(state_folder()):
            raise
        found = _daemons_alone(str(error))
    if as_json:
        print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    else:
        _tell(found)


async def mesh_status(chosen: Settings) -> dict[str, Any]:
    """The whole answer, as `--json` prints it. Takes a few times TIMEOUT_S at most."""
    found = _Found()
    state = State(state_folder())
    known, parked, handlers = await asyncio.gather(
        found.part("postgres", _generations(chosen), None),
        found.part("parked events", _parked(chosen), None),
        found.part("reactions and effects", _handlers(chosen), None),
    )
    live = _live(known or [])
    stores = sorted({store_name(each.projection) for each in live.values()})
    read = await asyncio.gather(
        *(
            found.part(f"watermarks in {store}", _marks(chosen, store, live.values()), {})
            for store in stores
        )
    )
    marks = {name: each for part in read for name, each in part.items()}
    places = [each.marks for each in handlers or ()]
    tails = await found.part(
        "kafka", _tails(chosen, [*marks.values(), *places]), None, TAILS_TIMEOUT_S
    )
    return {
        "urls": {"api": chosen.public_url, "docs": f"{chosen.public_url}/openapi.json"},
        **_daemons(state),
        "projections": [
            _projection(each, known or [], marks.get(each.name), tails) for each in PROJECTIONS
        ],
        "handlers": [_handler(each, tails) for each in handlers or ()],
        "parked": parked,
        "partitions": None if tails is None else _partitions(tails),
        "errors": found.errors,
    }


def _daemons_alone(why: str) -> dict[str, Any]:
    """What can be told without settings."""
    return {
        "urls": None,
        **_daemons(State(state_folder())),
        "projections": [],
        "handlers": [],
        "parked": None,
        "partitions": None,
        "errors": [why],
    }


def _daemons(state: State) -> dict[str, Any]:
    processes = (SUPERVISOR, *(each.name for each in PROCESSES))
    return {
        "servers": [_daemon(state, server.name) for server in SERVERS],
        "processes": [_daemon(state, name) for name in processes],
    }


def _daemon(state: State, name: str) -> dict[str, Any]:
    """A server or process as the supervisor knows it."""
    pid = daemons.running_pid(state.of(name) / "pid")
    desired = state.desired()
    wanted = name in desired or (name == SUPERVISOR and desired)
    return {
        "name": name,
        "state": "running" if pid else "dead" if wanted else "not started here",
        "pid": pid,
        "log": str(state.of(name) / "log"),
    }


async def _generations(chosen: Settings) -> list[Registered]:
    async with await open_pool(chosen, size_max=1) as pool:
        return await list_generations(pool)


async def _parked(chosen: Settings) -> dict[str, Any]:
    async with await open_pool(chosen, size_max=1) as pool:
        (record,) = await pool.fetch(
            "SELECT count(*) AS events, count(DISTINCT (projection, generation, stream_id))"
            " AS streams FROM mesh.parked"
        )
        shown = await pool.fetch(
            "SELECT projection, count(DISTINCT stream_id) AS streams FROM mesh.live_parked"
            " GROUP BY projection ORDER BY projection"
        )
    return {**record, "withheld": {each["projection"]: each["streams"] for each in shown}}


@dataclass(frozen=True)
class _Handler:
    """A reaction or effect: how far it is, and how many streams wait for a decision."""

    name: str
    topics: Sequence[str]
    marks: Watermarks
    parked: int


async def _handlers(chosen: Settings) -> list[_Handler]:
    known = (*REACTIONS, *EFFECTS)
    async with await open_pool(chosen, size_max=1) as pool:
        reached = await Positions(pool).of([each.name for each in known])
        rows = await pool.fetch(
            "SELECT handler, count(DISTINCT stream_id) AS streams FROM mesh.handler_parked"
            " GROUP BY handler"
        )
    parked = {row["handler"]: row["streams"] for row in rows}
    return [
        _Handler(
            each.name,
            each.topics,
            {
                place.topic_partition: Watermark(offset)
                for place, offset in reached.items()
                if place.handler == each.name
            },
            parked.get(each.name, 0),
        )
        for each in known
    ]


def _handler(each: _Handler, tails: Tails | None) -> dict[str, Any]:
    lag = None if tails is None else lag_of(each.marks, each.topics, tails)
    return {
        "name": each.name,
        "lag_events": lag[0] if lag else None,
        "lag_seconds": lag[1] if lag else None,
        "parked_streams": each.parked,
    }


def _live(known: Sequence[Registered]) -> dict[str, Generation]:
    by_name = {each.name: each for each in PROJECTIONS}
    return {
        each.projection: each.of(by_name[each.projection])
        for each in known
        if each.status is GenerationStatus.LIVE and each.projection in by_name
    }


async def _marks(chosen: Settings, store: str, live: Iterable[Generation]) -> dict[str, Watermarks]:
    """How far each of these projections that the store keeps has read, by name."""
    kept = [each for each in live if store_name(each.projection) == store]
    async with opened_stores(chosen, [each.projection for each in kept]) as stores:
        return {each.projection.name: await stores[store].watermarks(each) for each in kept}


async def _tails(chosen: Settings, marks: Sequence[Watermarks]) -> Tails:
    async with open_log(chosen, stall_s=TIMEOUT_S / 2) as log:
        return await read_tails(log, [topic.name for topic in TOPICS], marks)


def _projection(
    projection: Projection[Any],
    known: Sequence[Registered],
    marks: Watermarks | None,
    tails: Tails | None,
) -> dict[str, Any]:
    """One line: null stands for what could not be found out."""
    own = [each for each in known if each.projection == projection.name]
    live = next((each for each in own if each.status is GenerationStatus.LIVE), None)
    lag = None if marks is None or tails is None else lag_of(marks, projection.topics, tails)
    return {
        "name": projection.name,
        "store": store_name(projection),
        "version": projection.version,
        "generation": live.number if live else None,
        "lag_events": lag[0] if lag else None,
        "lag_seconds": lag[1] if lag else None,
        "replay_due": bool(replay_due([projection], own)),
        "others": [
            {"generation": each.number, "status": each.status.value}
            for each in own
            if each.status not in {GenerationStatus.LIVE, GenerationStatus.DROPPED}
        ],
    }


def _partitions(tails: Tails) -> dict[str, list[dict[str, int]]]:
    """Where each topic's partitions begin and end."""
    topics: dict[str, list[dict[str, int]]] = {}
    for place, tail in sorted(tails.items()):
        topics.setdefault(place.topic, []).append(
            {"partition": place.partition, "start": tail.bounds.start, "end": tail.bounds.end}
        )
    return topics


def _tell(found: Mapping[str, Any]) -> None:
    if found["urls"]:
        print(f"API {found['urls']['api']}\n")
    print_table(("name", "state", "pid"), [*found["servers"], *found["processes"]])
    if any(each["generation"] for each in found["projections"]):
        print()
        _tell_projections(found["projections"])
    print()
    if found["parked"]:
        print(f"parked: {found['parked']['events']} events of {found['parked']['streams']} streams")
        for name, streams in found["parked"]["withheld"].items():
            print(f"  {name}: {streams} streams wait, their rows are not shown: `mesh parked list`")
    _tell_handlers(found["handlers"])
    for error in found["errors"]:
        print(f"not reached: {error}")
    if found["errors"]:
        print("`mesh up` starts what is not running; `mesh logs NAME` may tell why it is not")


def _tell_handlers(handlers: Sequence[Mapping[str, Any]]) -> None:
    behind = max(handlers, key=lambda each: each["lag_events"] or 0, default=None)
    if behind is not None and behind["lag_events"]:
        print(
            f"reactions and effects: {behind['name']} is furthest behind, by"
            f" {behind['lag_events']} events, {behind['lag_seconds']} s"
        )
    for each in handlers:
        if each["parked_streams"]:
            print(f"  {each['name']}: {each['parked_streams']} streams wait: `mesh effects list`")


def _tell_projections(projections: Iterable[Mapping[str, Any]]) -> None:
    lines = [
        {
            **each,
            "others": ", ".join(f"{one['generation']} {one['status']}" for one in each["others"]),
            "replay": "a replay is due" if each["replay_due"] else "",
        }
        for each in projections
    ]
    print_table(
        ("name", "store", "generation", "lag_events", "lag_seconds", "others", "replay"), lines
    )
