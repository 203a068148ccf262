"""Asking before something is destroyed for good."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

EXIT_USAGE = 2

Yes = Annotated[bool, typer.Option("--yes", help="Don't ask: for scripts.")]


def confirm(what: str, *, yes: bool) -> None:
    """Return if this person, or a script by --yes, wants it; ends the command otherwise."""
    if yes:
        return
    if not sys.stdin.isatty():
        typer.echo(f"{what}: nobody is here to ask, so say --yes.", err=True)
        raise typer.Exit(EXIT_USAGE)
    typer.confirm(f"{what}. Go on?", abort=True)
