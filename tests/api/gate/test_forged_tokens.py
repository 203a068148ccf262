"""Access tokens that are not ours, or no more: none is let in, and ours is."""

from __future__ import annotations

import hashlib
import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from api.backends.tokens import ALGORITHM, TOKEN_TYPE
from tests.api.operations import OPERATIONS
from tests.api.running import Account, Mesh, claims_of, problem

HEADER = {"alg": ALGORITHM, "typ": TOKEN_TYPE}


def _encoded(part: bytes) -> str:
    return urlsafe_b64encode(part).decode().rstrip("=")


@dataclass(frozen=True)
class Mint:
    """Everything needed to make a token that would pass, and to make it wrong."""

    claims: dict[str, Any]
    kid: str
    key: ECKey

    def sign(
        self,
        claims: dict[str, Any] | None = None,
        *,
        header: dict[str, Any] | None = None,
        key: Any = None,
        payload: bytes | None = None,
    ) -> str:
        head = {**HEADER, "kid": self.kid, **(header or {})}
        body = payload or orjson.dumps({**self.claims, **(claims or {})})
        # By hand: the library refuses to make some of what a forger would.
        signed = f"{_encoded(orjson.dumps(head))}.{_encoded(body)}"
        algorithm = jws.JWSRegistry.algorithms[head["alg"]]
        return f"{signed}.{_encoded(algorithm.sign(signed.encode(), key or self.key))}"

    def raw(self, header: dict[str, Any], signature: bytes = b"") -> str:
        return ".".join(map(_encoded, (orjson.dumps(header), orjson.dumps(self.claims), signature)))

    def hs256(self, secret: bytes) -> str:
        header = {**HEADER, "kid": self.kid, "alg": "HS256"}
        signed = self.raw(header).rpartition(".")[0]
        return self.raw(header, hmac.digest(secret, signed.encode(), hashlib.sha256))

    def hs256_with_public_key(self) -> str:
        return self.hs256(self.key.as_pem(private=False))


@pytest.fixture(scope="module")
async def account(mesh: Mesh) -> Account:
    return await mesh.account()


@pytest.fixture(scope="module")
async def mint(mesh: Mesh, account: Account) -> Mint:
    kid, pem = (await mesh.machines.vault.signing_keys())[0]
    now = int(time.time())
    settings = mesh.settings
    claims = {
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "sub": account.user_id,
        "sid": account.session_id,
        "jti": str(uuid4()),
        "iat": now,
        "exp": now + 600,
        "email": account.email,
        "email_verified": False,
        "role": "buyer",
        "market": "exotics",
        # What cuts off tokens goes by it: another version would be another token's.
        "ver": claims_of(account.access_token)["ver"],
        "status": "pending",
    }
    assert claims.keys() == claims_of(account.access_token).keys(), "mend the mint"
    return Mint(claims, kid, ECKey.import_key(pem))


async def status_of(mesh: Mesh, token: str) -> int:
    answer = await mesh.client.get(
        "/api/auth/session", headers={"Authorization": f"Bearer {token}"}
    )
    if answer.status_code == 401:
        assert answer.json()["reason"] == "token_invalid"
        assert "invalid_token" in answer.headers["WWW-Authenticate"]
    return answer.status_code


async def test_ID_12_NS_01_a_token_made_like_ours_is_let_in(mesh: Mesh, mint: Mint) -> None:
    """Otherwise the refusals below would prove nothing."""
    assert await status_of(mesh, mint.sign()) == 200


other_key = ECKey.generate_key("P-256")
NOW = int(time.time())
ENCRYPTED = b'{"alg":"dir","enc":"A256GCM"}'
P256_ORDER = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
FORGERIES: dict[str, Callable[[Mint], str]] = {
    "alg none": lambda mint: mint.raw({**HEADER, "kid": mint.kid, "alg": "none"}),
    "alg None": lambda mint: mint.raw({**HEADER, "kid": mint.kid, "alg": "None"}),
    "alg missing": lambda mint: mint.raw({"typ": TOKEN_TYPE, "kid": mint.kid}),
    "no signature": lambda mint: mint.sign().rpartition(".")[0] + ".",
    "two parts": lambda mint: mint.sign().rpartition(".")[0],
    "HS256 with the public key": lambda mint: mint.hs256_with_public_key(),
    "another key, our kid": lambda mint: mint.sign(key=other_key),
    "another key, its kid": lambda mint: mint.sign(
        key=other_key, header={"kid": other_key.thumbprint()}
    ),
    "RS256, our kid": lambda mint: mint.sign(
        key=RSAKey.generate_key(2048), header={"alg": "RS256"}
    ),
    "ES384": lambda mint: mint.sign(key=ECKey.generate_key("P-384"), header={"alg": "ES384"}),
    "kid missing": lambda mint: mint.sign(header={"kid": None}),
    "kid is a path": lambda mint: mint.sign(header={"kid": "../../etc/passwd"}),
    "kid is SQL": lambda mint: mint.sign(header={"kid": "' OR 1=1 --"}),
    "key in the header": lambda mint: mint.sign(
        key=other_key, header={"jwk": other_key.as_dict(private=False)}
    ),
    "jku": lambda mint: mint.sign(header={"jku": "http://127.0.0.1/keys"}),
    "x5u": lambda mint: mint.sign(header={"x5u": "http://127.0.0.1/certificate"}),
    "crit": lambda mint: mint.sign(header={"crit": ["exp"]}),
    "b64": lambda mint: mint.sign(header={"b64": False, "crit": ["b64"]}),
    "typ JWT": lambda mint: mint.sign(header={"typ": "JWT"}),
    "expired": lambda mint: mint.sign({"exp": NOW - 1}),
    "exp missing": lambda mint: mint.sign(payload=without(mint, "exp")),
    "exp is text": lambda mint: mint.sign({"exp": "never"}),
    "issued in the future": lambda mint: mint.sign({"iat": NOW + 3_600, "exp": NOW + 7_200}),
    "another audience": lambda mint: mint.sign({"aud": "somebody-else"}),
    "several audiences": lambda mint: mint.sign({"aud": [mint.claims["aud"], "somebody-else"]}),
    "another issuer": lambda mint: mint.sign({"iss": "somebody-else"}),
    "sub missing": lambda mint: mint.sign(payload=without(mint, "sub")),
    "sub is no id": lambda mint: mint.sign({"sub": "admin"}),
    "sid missing": lambda mint: mint.sign(payload=without(mint, "sid")),
    "role of the system": lambda mint: mint.sign({"role": "system"}),
    "no version": lambda mint: mint.sign({"ver": None}),
    "version in words": lambda mint: mint.sign({"ver": "newest"}),
    "unknown standing": lambda mint: mint.sign({"status": "founder"}),
    "unknown role": lambda mint: mint.sign({"role": "root"}),
    "no claims": lambda mint: mint.sign(payload=b"[]"),
    "no JSON": lambda mint: mint.sign(payload=b"\xff\xfe"),
    "altered claims": lambda mint: altered(mint.sign()),
    "alg in lower case": lambda mint: mint.raw({**HEADER, "kid": mint.kid, "alg": "es256"}),
    "alg twice": lambda mint: named_twice(mint, b'"alg":"none",', b'"alg":"ES256"'),
    "a list of algs": lambda mint: mint.raw({**HEADER, "kid": mint.kid, "alg": ["ES256", "none"]}),
    "ES512": lambda mint: mint.sign(key=ECKey.generate_key("P-521"), header={"alg": "ES512"}),
    "PS256, our kid": lambda mint: mint.sign(
        key=RSAKey.generate_key(2048), header={"alg": "PS256"}
    ),
    "HS256 with an empty key": lambda mint: mint.hs256(b""),
    "HS256 with the kid as key": lambda mint: mint.hs256(mint.kid.encode()),
    "HS256 with the issuer as key": lambda mint: mint.hs256(mint.claims["iss"].encode()),
    "HS256 with a well-known key": lambda mint: mint.hs256(b"secret"),
    "a signature of zeros": lambda mint: mint.raw({**HEADER, "kid": mint.kid}, bytes(64)),
    "a signature of the order's size": lambda mint: mint.raw(
        {**HEADER, "kid": mint.kid}, bytes.fromhex(P256_ORDER) * 2
    ),
    "a short signature": lambda mint: mint.raw({**HEADER, "kid": mint.kid}, b"0"),
    "a long signature": lambda mint: mint.sign() + "AAAA",
    "another token's signature": lambda mint: ".".join(
        (*mint.sign({"role": "admin"}).split(".")[:2], mint.sign().split(".")[2])
    ),
    "a raised role": lambda mint: swapped(mint, {"role": "admin"}),
    "somebody else": lambda mint: swapped(mint, {"sub": str(uuid4())}),
    "four parts": lambda mint: mint.sign() + ".e30",
    "five parts": lambda mint: mint.sign() + ".e30.e30",
    "encrypted": lambda _mint: _encoded(ENCRYPTED) + "..e30.e30.e30",
    "JSON serialisation": lambda mint: orjson.dumps(
        dict(zip(("protected", "payload", "signature"), mint.sign().split("."), strict=True))
    ).decode(),
    "kid is a list": lambda mint: mint.sign(header={"kid": [mint.kid]}),
    "kid and a NUL": lambda mint: mint.sign(header={"kid": f"{mint.kid}\0"}),
    "kid is a URL": lambda mint: mint.sign(header={"kid": "http://127.0.0.1/key"}),
    "x5c": lambda mint: mint.sign(header={"x5c": ["MIIB"]}),
    "cty": lambda mint: mint.sign(header={"cty": "JWT"}),
    "zip": lambda mint: mint.sign(header={"zip": "DEF"}),
    "typ of a refresh token": lambda mint: mint.sign(header={"typ": "rt+jwt"}),
    "typ of an ID token": lambda mint: mint.sign(header={"typ": "id+jwt"}),
    "typ missing": lambda mint: mint.sign(header={"typ": None}),
    "not yet": lambda mint: mint.sign({"nbf": NOW + 3_600}),
    "nbf is text": lambda mint: mint.sign({"nbf": "later"}),
    "expired long ago": lambda mint: mint.sign({"exp": 1}),
    "exp is true": lambda mint: mint.sign({"exp": True}),
    "exp is below zero": lambda mint: mint.sign({"exp": -1}),
    "exp is a list": lambda mint: mint.sign({"exp": [NOW + 600]}),
    "exp without end": lambda mint: mint.sign(payload=infinite(mint)),
    "iat missing": lambda mint: mint.sign(payload=without(mint, "iat")),
    "aud missing": lambda mint: mint.sign(payload=without(mint, "aud")),
    "iss missing": lambda mint: mint.sign(payload=without(mint, "iss")),
    "jti missing": lambda mint: mint.sign(payload=without(mint, "jti")),
    "role missing": lambda mint: mint.sign(payload=without(mint, "role")),
    "market missing": lambda mint: mint.sign(payload=without(mint, "market")),
    "ver missing": lambda mint: mint.sign(payload=without(mint, "ver")),
    "ver is text": lambda mint: mint.sign({"ver": "the newest"}),
    "ver is null": lambda mint: mint.sign({"ver": None}),
    "status missing": lambda mint: mint.sign(payload=without(mint, "status")),
    "unknown status": lambda mint: mint.sign({"status": "root"}),
    "a list of roles": lambda mint: mint.sign({"role": ["admin"]}),
    "issuer in upper case": lambda mint: mint.sign({"iss": mint.claims["iss"].upper()}),
    "empty parts": lambda _mint: "..",
    "garbage": lambda _mint: "eyJ" + "A" * 200,
}


def without(mint: Mint, claim: str) -> bytes:
    return orjson.dumps({name: value for name, value in mint.claims.items() if name != claim})


def named_twice(mint: Mint, first: bytes, second: bytes) -> str:
    header = b"{" + first + second + b',"typ":"at+jwt","kid":"' + mint.kid.encode() + b'"}'
    return f"{_encoded(header)}.{_encoded(orjson.dumps(mint.claims))}."


def swapped(mint: Mint, claims: dict[str, Any]) -> str:
    """Our header and signature around other claims."""
    header, _, signature = mint.sign().split(".")
    return f"{header}.{_encoded(orjson.dumps({**mint.claims, **claims}))}.{signature}"


def infinite(mint: Mint) -> bytes:
    return orjson.dumps(mint.claims).replace(str(mint.claims["exp"]).encode(), b"1e999")


def altered(token: str) -> str:
    header, payload, signature = token.split(".")
    middle = len(payload) // 2
    return f"{header}.{payload[:middle]}{'A' if payload[middle] != 'A' else 'B'}{payload[middle + 1 :]}.{signature}"


@pytest.mark.parametrize("kind", FORGERIES)
@pytest.mark.asvs("V9.1.1", "V9.1.2", "V9.1.3", "V9.2.1", "V9.2.2", "V9.2.3")
async def test_ID_12_a_forged_token_is_refused(mesh: Mesh, mint: Mint, kind: str) -> None:
    assert await status_of(mesh, FORGERIES[kind](mint)) == 401


def test_ID_12_V9_2_there_are_forty_kinds_of_forgery_and_more() -> None:
    assert len(FORGERIES) >= 40


@pytest.fixture(scope="module")
def forged(mint: Mint) -> dict[str, str]:
    """One of each kind."""
    return {kind: forge(mint) for kind, forge in FORGERIES.items()}


@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.id for each in OPERATIONS])
@pytest.mark.asvs("V7.2.1", "V9.1.1")
async def test_ID_12_V9_1_no_operation_takes_a_forged_token(mesh, forged, operation) -> None:
    """Not even one that is open to anyone: who sends a token means to be somebody."""
    taken = {}
    for kind, token in forged.items():
        headers = {"Authorization": f"Bearer {token}"}
        answer = await mesh.client.request(operation.method, operation.path, headers=headers)
        if problem(answer) != (401, "token_invalid"):
            taken[kind] = answer.status_code
    assert taken == {}


@pytest.mark.asvs("V9.2.2")
async def test_ID_12_a_refresh_token_is_no_access_token(mesh: Mesh, account: Account) -> None:
    assert await status_of(mesh, account.refresh_token) == 401


@pytest.mark.parametrize("scheme", ["Basic", "bearer:", "Token", ""])
async def test_ID_12_only_bearer_counts(mesh: Mesh, mint: Mint, scheme: str) -> None:
    answer = await mesh.client.get(
        "/api/auth/session", headers={"Authorization": f"{scheme} {mint.sign()}"}
    )
    assert answer.status_code == 401


async def test_ID_12_two_tokens_are_none(mesh: Mesh, mint: Mint) -> None:
    headers = [("Authorization", f"Bearer {mint.sign()}")] * 2
    assert (await mesh.client.get("/api/auth/session", headers=headers)).status_code == 401


async def test_ID_12_an_unknown_kid_does_not_ask_the_vault_each_time(
    mesh: Mesh, mint: Mint, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    keys = mesh.machines.vault.signing_keys

    async def counted() -> Any:
        asked.append(1)
        return await keys()

    monkeypatch.setattr(mesh.machines.vault, "signing_keys", counted)
    for _ in range(5):
        await status_of(mesh, mint.sign(header={"kid": "unknown"}))
    assert len(asked) <= 1
