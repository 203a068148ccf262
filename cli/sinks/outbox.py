"""`mesh outbox`: the SMS and push messages that a machine of development has sent to nobody."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from cli.confirming import EXIT_USAGE
from infra.channels.outbox import SHOWN_MAX, Kept
from infra.channels.outbox import outbox as box_of
from infra.settings import absent_mesh, is_state_folder, state_folder


def register(app: typer.Typer) -> None:
    """Add this file's command."""
    app.command()(outbox)


def outbox(
    count: Annotated[int, typer.Option(min=1, max=SHOWN_MAX, help="How many to show.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Show the newest SMS and push messages of the local stack, newest last."""
    if not is_state_folder(state_folder()):
        typer.echo(absent_mesh(), err=True)
        raise typer.Exit(EXIT_USAGE)
    found = box_of(state_folder()).newest(count)
    if as_json:
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    elif not found:
        typer.echo("no SMS or push message has been sent")
    else:
        for each in found:
            _show(each)


def _show(each: Kept) -> None:
    typer.echo(f"{each.came_at.isoformat(timespec='seconds')}  {each.channel}  {_safe(each.to)}")
    for line in (*each.text.splitlines(), each.url):
        if line:
            typer.echo(f"    {_safe(line)}")


def _safe(text: str) -> str:
    """Without what a terminal would obey: whoever wrote it may not own whoever reads it."""
    return "".join(each if each.isprintable() else " " for each in text)
