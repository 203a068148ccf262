"""What a process that is not ready yet is said to wait for."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.stack.daemons import NotReadyError
from infra.stack.processes import _by_http


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_an_api_that_is_not_ready_says_what_is_down() -> None:
    told = json.dumps({"code": "not_ready", "detail": "down: writes, postgres"}).encode()
    with answering(503, told) as port, pytest.raises(NotReadyError) as found:
        _by_http(port)()
    assert str(found.value) == "down: writes, postgres"


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'"text"', b"{}"])
def test_an_answer_of_another_kind_is_told_by_its_status(body: bytes) -> None:
    with answering(502, body) as port, pytest.raises(NotReadyError) as found:
        _by_http(port)()
    assert str(found.value) == "502 Bad Gateway"


def test_an_api_that_is_ready_is() -> None:
    with answering(200, b"{}") as port:
        assert _by_http(port)() is None
