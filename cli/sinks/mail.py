"""`mesh mail`: what the local stack has sent to nobody."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Annotated

import orjson
import typer
from rich.markup import escape

from cli.confirming import EXIT_USAGE
from cli.tables import print_table
from infra.settings import absent_mesh, is_state_folder, state_folder
from infra.stack.servers.mail import mailbox
from infra.stack.servers.mailbox import SHOWN_MAX, Mail
from infra.stack.state import State


def register(app: typer.Typer) -> None:
    """Add this file's command."""
    app.command()(mail)


def mail(
    number: Annotated[
        int | None, typer.Argument(min=1, max=SHOWN_MAX, help="Show this one; 1 is the newest.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=SHOWN_MAX, help="How many to list.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """List the newest mails of the local stack, or show one."""
    if not is_state_folder(state_folder()):
        typer.echo(absent_mesh(), err=True)
        raise typer.Exit(EXIT_USAGE)
    found = mailbox(State(state_folder())).newest(number or count)
    if number is not None and len(found) < number:
        typer.echo(f"there are only {len(found)} mails", err=True)
        raise typer.Exit(1)
    chosen = found if number is None else [found[number - 1]]
    if as_json:
        typer.echo(orjson.dumps([_told(each) for each in chosen], option=orjson.OPT_INDENT_2))
    elif number is not None:
        _show(chosen[0])
    elif not chosen:
        typer.echo("no mail has been sent")
    else:
        lines = [{"nr": nr, **_escaped(each)} for nr, each in enumerate(chosen, start=1)]
        print_table(("nr", "came_at", "to", "subject"), lines)


def _line(each: Mail) -> dict[str, str]:
    return {
        "came_at": each.came_at.isoformat(timespec="seconds"),
        "to": _printable(each.recipients),
        "subject": _printable(_header(each.message, "Subject")),
    }


def _escaped(each: Mail) -> dict[str, str]:
    return {name: escape(text) for name, text in _line(each).items()}


def _told(each: Mail) -> dict[str, str]:
    return {**_line(each), "text": each.text(), "html": each.text("html")}


def _show(each: Mail) -> None:
    for name in ("From", "To", "Date", "Subject", "Message-ID"):
        typer.echo(f"{name}: {_printable(_header(each.message, name))}")
    typer.echo("")
    for line in each.text().splitlines():
        typer.echo(_printable(line))


def _header(message: EmailMessage, name: str) -> str:
    return str(message[name] or "")


def _printable(text: str) -> str:
    """Without what a terminal would obey: whoever wrote a mail may not own whoever reads it."""
    return "".join(each if each.isprintable() else " " for each in text)
