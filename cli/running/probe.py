"""`mesh probe`: ask a shop from outside whether it lives, serves and finds, as a visitor would.

For uptime monitors and for whoever has just put a new version in place. It writes nothing: what is
written stands in the log for ever. Whether writes are open is told by /health/ready.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Annotated, Any, Final

import httpx
import orjson
import typer

from cli.tables import print_table
from infra.settings import settings

TIMEOUT_S: Final = 5.0  # of each question
HEALTH: Final = ("/health/live", "/health/startup", "/health/ready")
SEARCH: Final = "/api/search?limit=1"
_WEB_ADDRESS: Final = re.compile(r"https?://[^/\s]+")


def register(app: typer.Typer) -> None:
    """Add this file's command."""
    app.command()(probe)


def probe(
    url: Annotated[str, typer.Argument(help="Where the shop is; the local one by default.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Ask a shop whether it lives, serves and finds; ends with 1 when something is wrong."""
    address = url or settings().public_url
    if not _WEB_ADDRESS.match(address):
        message = f"{address!r} is no web address: give http://HOST[:PORT]"
        raise typer.BadParameter(message)
    try:
        with httpx.Client(base_url=address, timeout=TIMEOUT_S) as client:
            found = list(_asked(client))
    except httpx.InvalidURL as error:
        message = f"{address!r} is no web address: {error}"
        raise typer.BadParameter(message) from None
    if as_json:
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    else:
        print_table(("asked", "told", "ms"), found)
    if not all(each["ok"] for each in found):
        raise typer.Exit(1)


def _asked(client: httpx.Client) -> Iterator[dict[str, Any]]:
    """Each question with its answer; the last is the page of the first hit, if there is one."""
    for path in HEALTH:
        yield answered(client, path)[0]
    told, answer = answered(client, SEARCH)
    yield told
    hits = answer.json()["hits"] if told["ok"] and answer else []
    for hit in hits[:1]:
        yield answered(client, f"/api/listings/{hit['id']}")[0]


def answered(client: httpx.Client, path: str) -> tuple[dict[str, Any], httpx.Response | None]:
    """What came of one question, as a row of the table, and the answer if there was one."""
    began = time.perf_counter()
    answer = None
    try:
        answer = client.get(path)
        told = str(answer.status_code) if answer.is_success else _problem(answer)
    except httpx.HTTPError as error:
        told = f"no answer ({type(error).__name__})"
    milliseconds = round((time.perf_counter() - began) * 1e3, 1)
    good = answer is not None and answer.is_success
    return {"asked": f"GET {path}", "ok": good, "told": told, "ms": milliseconds}, answer


def _problem(answer: httpx.Response) -> str:
    """The status and, where it is a problem of ours, what it says."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = answer.reason_phrase
    return f"{answer.status_code} {detail}"
