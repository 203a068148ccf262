"""`mesh up`, `down`, `supervise`, `logs`: the local stack from the terminal."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Annotated

import typer

from cli.confirming import EXIT_USAGE, Yes, confirm
from cli.running.processes import PROCESSES_PANEL
from infra.settings import Settings, absent_mesh, load_settings, state_folder
from infra.stack import daemons, supervisor, watch
from infra.stack.daemons import StartError
from infra.stack.processes import PROCESSES, SUPERVISOR, fork_server
from infra.stack.servers.roster import NAMES, SERVERS
from infra.stack.state import BusyError, State
from infra.stack.supervisor import UpError
from infra.stack.view import View

# A repair by the supervisor may hold the folder this long (seconds).
_LOCK_WAIT_S = 60.0
_FIRST_SEARCH = "/api/search?q=car&limit=1"
_FIRST_SEARCH_S = 60.0
_SEARCH_POLL_S = 0.2


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(up)
    app.command()(down)
    app.command(rich_help_panel=PROCESSES_PANEL)(supervise)
    app.command()(logs)


def up(
    servers_only: Annotated[bool, typer.Option(help="Leave the mesh's own processes out.")] = False,
    sample: Annotated[bool, typer.Option(help="Import the sample the first time.")] = True,
) -> None:
    """Start everything that is not running, and wait until it serves."""
    state, view = State(state_folder()), View()
    if state.folder.exists() and not state.folder.is_dir():
        typer.echo(absent_mesh(), err=True)
        raise typer.Exit(EXIT_USAGE)
    try:
        with state.lock(_LOCK_WAIT_S):
            _bring_up(state, view, servers_only)
        if sample and not servers_only:
            _import_sample(state, view)
        if not servers_only:
            search_once(load_settings().public_url, view)
    except (UpError, StartError, BusyError) as error:
        typer.echo(f"\n{error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo(
            "\nInterrupted. `mesh up` goes on from here, `mesh down` stops the rest.", err=True
        )
        raise typer.Exit(130) from None
    _print_addresses(load_settings(), servers_only)


def _bring_up(state: State, view: View, servers_only: bool) -> None:
    wanted = NAMES if servers_only else NAMES | {process.name for process in PROCESSES}
    with view.showing(), fork_server(state) as forks:
        if not (servers_only or all(supervisor.is_running(state, each.name) for each in PROCESSES)):
            forks.open()  # it loads while the servers start
        supervisor.servers_up(state, NAMES, view)
        if not servers_only:
            # Not the stack's own settings: the environment may name another server.
            _prepare(load_settings(), view)
        # What already ran stays wanted: `up --servers-only` must not orphan the processes.
        state.want(wanted | state.desired())
        supervisor.supervisor_up(state)
        if not servers_only:
            supervisor.processes_up(state, view, forks)


def _prepare(settings: Settings, view: View) -> None:
    """Create topics and stores before any process asks for them; raises UpError."""
    from cli.running.prepare import prepare  # noqa: PLC0415 - seconds of imports that `down` has no use for

    view.starting("set-up", "topics and stores")
    try:
        asyncio.run(prepare(settings))
    except Exception as error:
        view.failed("set-up")
        msg = f"topics and stores could not be set up: {_told(error)}"
        raise UpError(msg) from error
    view.ready("set-up", "topics and stores")


def _told(error: Exception) -> str:
    from cli.outages import outage_line  # noqa: PLC0415 - as above

    return outage_line(error) or f"{type(error).__name__}: {error}"


def _import_sample(state: State, view: View) -> None:
    """Import the sample unless that has been done here; raises UpError."""
    from cli.importing import import_sample  # noqa: PLC0415 - as above

    marker = state.folder / "sample.imported"
    if marker.exists():
        return
    view.starting("sample")
    try:
        import_sample()
    except Exception as error:
        view.failed("sample")
        msg = f"the sample could not be imported, the next `mesh up` goes on: {_told(error)}"
        raise UpError(msg) from error
    marker.touch()
    view.ready("sample")


def search_once(url: str, view: View, within_s: float = _FIRST_SEARCH_S) -> None:
    """Have the first search over with, which takes OpenSearch seconds: no visitor should be told to
    try again. Raises UpError.
    """
    import httpx  # noqa: PLC0415 - as above

    from cli.running.probe import answered  # noqa: PLC0415 - as above

    view.starting("search")
    deadline = time.monotonic() + within_s
    with httpx.Client(base_url=url, timeout=within_s) as client:
        while not (found := answered(client, _FIRST_SEARCH)[0])["ok"]:
            if time.monotonic() > deadline:
                view.failed("search")
                msg = (
                    f"nothing can be found within {within_s:.0f} s ({found['told']}):"
                    " `mesh logs api` may tell why"
                )
                raise UpError(msg)
            time.sleep(_SEARCH_POLL_S)
    view.ready("search")


def _print_addresses(settings: Settings, servers_only: bool) -> None:
    typer.echo("")
    if not servers_only:
        typer.echo(f"API         {settings.public_url}")
        typer.echo(f"API docs    {settings.public_url}/openapi.json")
    typer.echo(f"Kafka       {settings.kafka_bootstrap}")
    typer.echo(f"OpenSearch  {settings.opensearch_url}")
    typer.echo("Mail        mesh mail")
    typer.echo("SMS, push   mesh outbox")
    typer.echo(f"Settings    {State(state_folder()).settings_file}")


def down(
    wipe: Annotated[
        bool, typer.Option("--wipe", help="Delete the state folder too: all data, all secrets.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Stop what `mesh up` started here, and nothing else."""
    state = State(state_folder())
    if not state.folder.is_dir():
        typer.echo(f"nothing to stop. {absent_mesh()}", err=True)
        raise typer.Exit(EXIT_USAGE if os.environ.get("MESH_STATE") else 0)
    if not state.is_ours:
        typer.echo(f"{state.folder} is no mesh's folder: nothing is stopped or deleted", err=True)
        raise typer.Exit(EXIT_USAGE)
    if wipe:
        confirm(f"This deletes {state.folder} for good, with all data and secrets in it", yes=yes)
    try:
        stopped = supervisor.down(state, wipe=wipe, wait_s=_LOCK_WAIT_S)
    except BusyError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo("stopped: " + (", ".join(stopped) or "nothing was running"))


def supervise() -> None:
    """Restart what dies, until told to stop. `mesh up` starts this by itself."""
    watch.run(State(state_folder()))


LOGGED = (*(each.name for each in (*SERVERS, *PROCESSES)), SUPERVISOR)


def logs(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(LOGGED)}.")],
    lines: Annotated[int, typer.Option(min=1, help="How many.")] = 200,
) -> None:
    """Print the end of one server's or process's log."""
    if name not in LOGGED:
        typer.echo(f"no such name: {name}. Known: {', '.join(LOGGED)}", err=True)
        raise typer.Exit(EXIT_USAGE)
    file = State(state_folder()).of(name) / "log"
    if not file.exists():
        typer.echo(absent_mesh() or f"{name} has not been started here: no {file}", err=True)
        raise typer.Exit(EXIT_USAGE)
    sys.stdout.write(daemons.tail(file, lines) + "\n")
