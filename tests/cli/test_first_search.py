"""`mesh up` has the first search over with before it says that the shop is open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from cli.running.stack import search_once
from infra.stack.supervisor import UpError
from infra.stack.view import View


@contextmanager
def shop(*statuses: int) -> Iterator[tuple[str, list[str]]]:
    """One that answers with these, the last of them for ever; and what it was asked."""
    coming, asked = list(statuses), list[str]()

    class Told(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(coming.pop(0) if len(coming) > 1 else coming[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Told)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_search_that_comes_too_late_is_asked_again() -> None:
    with shop(503, 503, 200) as (url, asked):
        search_once(url, View(quiet=True), within_s=20)
    assert [each.partition("?")[0] for each in asked] == ["/api/search"] * 3


def test_a_shop_that_finds_nothing_in_time_is_not_up() -> None:
    with shop(503) as (url, _), pytest.raises(UpError, match=r"503.*mesh logs api"):
        search_once(url, View(quiet=True), within_s=0.5)


def test_a_shop_that_does_not_answer_is_not_up() -> None:
    with shop(200) as (url, _):
        pass
    with pytest.raises(UpError, match="ConnectError"):
        search_once(url, View(quiet=True), within_s=0.5)
