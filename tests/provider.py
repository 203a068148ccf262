"""An OpenID Connect provider on loopback: oidc-provider-mock, made strict about PKCE, which it
ignores, and able to lie in its ID tokens.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from oidc_provider_mock import app as mock_app
from werkzeug.serving import make_server

Claims = dict[str, Any]


class Provider:
    """The provider. `forge` may change the claims of the next ID tokens, `signing_key` and
    `header` how they are signed; `down` makes it answer nothing but 500, and
    `redirect` sends whoever wants its keys elsewhere.
    """

    def __init__(self) -> None:
        self.issuer = ""
        self._own_key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self._challenges: dict[str, str] = {}
        self._app = mock_app(require_nonce=True)
        self.be_honest()

    def be_honest(self) -> None:
        """Forget every lie: making a server and its keys anew takes seconds."""
        self.key = self._own_key
        self.signing_key: Any = self.key
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "one"}
        self.forge: Callable[[Claims], Claims] = dict
        self.metadata: Callable[[Claims], Claims] = dict
        self.down = False
        self.redirect = ""
        self.asked: list[str] = []

    # WSGI.

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.asked.append(path)
        if self.down:
            return _answer(start, 500, {"error": "server_error"})
        if path == "/jwks" and self.redirect:
            start("302 X", [("Location", self.redirect)])
            return [b""]
        if path == "/jwks":
            return _answer(start, 200, {"keys": [self.key.as_dict(private=False)]})
        if path == "/oauth2/token" and not self._proved(environ):
            return _answer(start, 400, {"error": "invalid_grant"})
        status, headers, body = self._mocked(environ)
        if path == "/oauth2/authorize":
            self._remember(environ, dict(headers).get("Location", ""))
        if path == "/oauth2/token" and status == 200:
            body = json.dumps(self._signed(json.loads(body))).encode()
        if path.endswith("/openid-configuration"):
            body = json.dumps(self.metadata(json.loads(body))).encode()
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start(f"{status} X", [*kept, ("Content-Length", str(len(body)))])
        return [body]

    def _mocked(self, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
        told: list[Any] = []
        body = b"".join(self._app(environ, lambda *each: told.append(each)))
        return int(told[0][0].split()[0]), told[0][1], body

    def _remember(self, environ: dict[str, Any], location: str) -> None:
        asked = dict(parse_qsl(environ["QUERY_STRING"]))
        code = dict(parse_qsl(urlsplit(location).query)).get("code")
        if code:
            assert asked["code_challenge_method"] == "S256"
            self._challenges[code] = asked["code_challenge"]

    def _proved(self, environ: dict[str, Any]) -> bool:
        sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(sent)
        form = {name: values[0] for name, values in parse_qs(sent.decode()).items()}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        shown = urlsafe_b64encode(digest).rstrip(b"=").decode()
        return self._challenges.get(form.get("code", "")) == shown

    def _signed(self, token: dict[str, Any]) -> dict[str, Any]:
        packed = token["id_token"].split(".")[1]
        claims = json.loads(urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
        claims = self.forge(claims)
        return token | {
            "id_token": jwt.encode(
                self.header, claims, self.signing_key, algorithms=[self.header["alg"]]
            )
        }

    # What tests do with it.

    async def knows(self, subject: str, **claims: Any) -> None:
        """Let it know somebody."""
        async with httpx.AsyncClient(trust_env=False) as client:
            told = await client.put(f"{self.issuer}/users/{subject}", json=claims)
        assert told.status_code == 204

    async def let_in(self, address: str, subject: str) -> dict[str, str]:
        """Log in there; what it sends the browser back with."""
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(address, data={"sub": subject})
        assert answer.status_code == 302, answer.text
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def _answer(start: Any, status: int, body: Any) -> Iterable[bytes]:
    content = json.dumps(body).encode()
    start(f"{status} X", [("Content-Type", "application/json")])
    return [content]


@contextmanager
def provider_at_work() -> Iterator[Provider]:
    """The provider, served until the block ends."""
    provider = Provider()
    server = make_server("localhost", 0, provider, threaded=True)
    provider.issuer = f"http://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@cache
def other_key() -> RSAKey:
    """A key that is not the provider's."""
    return RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


def curve_key() -> ECKey:
    """A key of another kind."""
    return ECKey.generate_key("P-256", {"kid": "two", "use": "sig"})


def long_ago() -> int:
    """An hour before now, in a token's seconds."""
    return int(time.time()) - 3_600
