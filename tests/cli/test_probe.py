"""`mesh probe`: what a monitor learns of a shop, from outside."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from click.testing import Result
from typer import Typer
from typer.testing import CliRunner

from cli.running import probe

HIT = "8c5f1e9a"
GOOD = {
    "/health/live": (200, {}),
    "/health/startup": (200, {}),
    "/health/ready": (200, {}),
    "/api/search?limit=1": (200, {"hits": [{"id": HIT}]}),
    f"/api/listings/{HIT}": (200, {}),
}
Answers = dict[str, tuple[int, object]]


@contextmanager
def shop(answers: Answers) -> Iterator[str]:
    """A server that gives these answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def mesh() -> Callable[..., Result]:
    app = Typer()
    app.callback()(lambda: None)
    probe.register(app)
    return lambda *words: CliRunner().invoke(app, ["probe", *words])


def told(done: Result) -> dict[str, str]:
    return {each["asked"].removeprefix("GET "): each["told"] for each in json.loads(done.stdout)}


def test_NB_04_a_shop_that_is_well_is_walked_to_a_listings_page(
    mesh: Callable[..., Result],
) -> None:
    with shop(GOOD) as url:
        done = mesh(url, "--json")
    assert done.exit_code == 0
    assert told(done) == dict.fromkeys(GOOD, "200")


def test_NB_04_a_shop_without_listings_is_well(mesh: Callable[..., Result]) -> None:
    with shop({**GOOD, "/api/search?limit=1": (200, {"hits": []})}) as url:
        assert mesh(url).exit_code == 0


@pytest.mark.parametrize("path", GOOD)
def test_NB_04_whatever_fails_is_named_and_ends_with_1(
    mesh: Callable[..., Result], path: str
) -> None:
    with shop({**GOOD, path: (503, {"detail": "down: writes"})}) as url:
        done = mesh(url, "--json")
    assert done.exit_code == 1
    assert [each for each, what in told(done).items() if what != "200"] == [path]
    assert told(done)[path] == "503 down: writes"


def test_NB_04_an_error_of_somebody_elses_is_told_as_it_is(mesh: Callable[..., Result]) -> None:
    with shop({**GOOD, "/health/ready": (502, b"<html>")}) as url:
        done = mesh(url)
    assert done.exit_code == 1
    assert "502 Bad Gateway" in done.stdout


def test_NB_04_a_shop_that_does_not_answer_is_not_well(mesh: Callable[..., Result]) -> None:
    with shop(GOOD) as url:
        pass
    done = mesh(url, "--json")
    assert done.exit_code == 1
    assert set(told(done).values()) == {"no answer (ConnectError)"}


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://"])
def test_an_address_that_is_none_is_told(mesh: Callable[..., Result], url: str) -> None:
    done = mesh(url)
    assert done.exit_code == 2
    assert "http://" in done.output
