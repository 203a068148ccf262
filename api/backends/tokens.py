"""Access tokens: short-lived JWTs (RFC 9068), signed with a key from the vault, and the opaque
refresh tokens beside them.

Only ES256 with one of our own keys is ever accepted: the header's `alg` is checked against
that one name, the key is found by `kid` among ours, and nothing in a token's header can point
elsewhere.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import uuid_utils
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from infra.settings import Settings
from infra.vault.vault import Vault
from schemas.identity import UserStatus
from schemas.log.messages import Role

ALGORITHM = "ES256"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type, not a secret
LEEWAY_S = 5.0  # between the clocks of two machines
REMEMBERED_MAX = 10_000  # tokens, of less than a kilobyte each
RELOAD_S = 60.0  # an unknown kid makes us look for a new key at most this often
SESSION_ID_BYTES, SECRET_BYTES, MAC_BYTES = 16, 32, 15
REFRESH_BYTES = SESSION_ID_BYTES + SECRET_BYTES + MAC_BYTES  # a multiple of 3: no padding


class TokenRefused(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """No valid access token; `hint` says what to do, without quoting it."""

    def __init__(self, hint: str = "This is no valid access token: log in or refresh") -> None:
        super().__init__(hint)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified access token says."""

    user_id: str
    session_id: str
    token_id: str
    role: Role
    email_verified: bool
    market: str
    expires_at: int  # epoch seconds
    user_version: int  # of the person, when it was issued: what cuts off tokens goes by it
    status: UserStatus


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an access token shall be about."""

    user_id: UUID
    session_id: UUID
    email: str
    email_verified: bool
    role: Role
    market: str
    user_version: int
    status: UserStatus


class Tokens:
    """Signs and verifies access tokens; finds its keys in the vault at the first use."""

    def __init__(self, vault: Vault, settings: Settings) -> None:
        self._vault = vault
        self._settings = settings
        self._keys: dict[str, ECKey] = {}  # the newest first
        self._loaded_at = float("-inf")
        self._loading = asyncio.Lock()
        self._verified: dict[str, Claims] = {}  # signed by one of these keys; the oldest first

    async def issue(self, subject: Subject, now: float) -> str:
        """A signed access token about `subject`; raises VaultUnavailableError."""
        if not self._keys:
            await self._load()
        kid, key = next(iter(self._keys.items()))
        issued = int(now)
        claims = {
            "iss": self._settings.jwt_issuer,
            "aud": self._settings.jwt_audience,
            "sub": str(subject.user_id),
            "sid": str(subject.session_id),
            "jti": str(uuid_utils.uuid7()),
            "iat": issued,
            "exp": issued + self._settings.access_token_s,
            "email": subject.email,
            "email_verified": subject.email_verified,
            "role": subject.role.value,
            "market": subject.market,
            "ver": subject.user_version,
            "status": subject.status.value,
        }
        header = {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": kid}
        return jws.serialize_compact(header, orjson.dumps(claims), key, algorithms=[ALGORITHM])

    async def verify(self, token: str, now: float | None = None) -> Claims:
        """The claims of a valid access token of ours; raises TokenRefused for any other,
        VaultUnavailableError while the keys are out of reach.
        """
        now = time.time() if now is None else now
        known = self._verified.get(token)
        if known is not None and now < known.expires_at:
            return known
        header = _header(token)
        key = await self._key(header["kid"])
        try:
            verified = jws.deserialize_compact(token, key, algorithms=[ALGORITHM])
        except (JoseError, ValueError):
            raise TokenRefused from None
        claims = self._claims(verified.payload, now)
        self._remember(token, claims)
        return claims

    def _remember(self, token: str, claims: Claims) -> None:
        """People ask again and again with one token, and its signature stays as good as it is;
        whether its session has ended is asked elsewhere, every time.
        """
        if len(self._verified) >= REMEMBERED_MAX:
            del self._verified[next(iter(self._verified))]
        self._verified[token] = claims

    async def public_keys(self) -> list[Mapping[str, Any]]:
        """The keys to verify our tokens with, as JWKs (RFC 7517)."""
        if not self._keys:
            await self._load()
        return [
            {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": ALGORITHM}
            for kid, key in self._keys.items()
        ]

    async def _key(self, kid: str) -> ECKey:
        if kid not in self._keys and time.monotonic() - self._loaded_at > RELOAD_S:
            await self._load()
        key = self._keys.get(kid)
        if key is None:
            raise TokenRefused
        return key

    async def _load(self) -> None:
        async with self._loading:
            stored = await self._vault.signing_keys()
            if not stored:
                await self._vault.add_signing_key(*_new_signing_key())
                stored = await self._vault.signing_keys()
            self._keys = {kid: ECKey.import_key(pem) for kid, pem in stored}
            self._verified.clear()
            self._loaded_at = time.monotonic()

    def _claims(self, payload: bytes, now: float) -> Claims:
        try:
            claims = orjson.loads(payload)
            ours = (
                claims["iss"] == self._settings.jwt_issuer
                and claims["aud"] == self._settings.jwt_audience
                and float(claims["iat"]) - LEEWAY_S <= now
                and float(claims.get("nbf", 0)) - LEEWAY_S <= now
            )
            read = Claims(
                user_id=str(UUID(claims["sub"])),
                session_id=str(UUID(claims["sid"])),
                token_id=str(UUID(claims["jti"])),
                role=Role(claims["role"]),
                email_verified=claims["email_verified"] is True,
                market=str(claims["market"]),
                expires_at=int(claims["exp"]),
                user_version=int(claims["ver"]),
                status=UserStatus(claims["status"]),
            )
        except (KeyError, TypeError, ValueError):
            raise TokenRefused from None
        if not ours or read.role is Role.SYSTEM:
            raise TokenRefused
        if now >= read.expires_at:
            raise TokenRefused("This access token has expired: refresh it")
        return read


def _header(token: str) -> dict[str, Any]:
    """The protected header, only if it has exactly the members that ours have."""
    try:
        header = orjson.loads(_unpadded(token.split(".", 1)[0]))
    except ValueError:
        raise TokenRefused from None
    expected = {"alg": ALGORITHM, "typ": TOKEN_TYPE}
    # No crit, jku, jwk, x5u or any other member that would ask for trust.
    if not isinstance(header, dict) or {**header, "kid": ""} != {**expected, "kid": ""}:
        raise TokenRefused
    if not isinstance(header.get("kid"), str):
        raise TokenRefused
    return header


def _new_signing_key() -> tuple[str, bytes]:
    key = ECKey.generate_key("P-256", private=True)
    return key.thumbprint(), key.as_pem(private=True)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """An opaque credential for one session. Stores and the log keep only its hash."""

    session_id: UUID
    text: str

    @property
    def hash(self) -> str:
        """SHA-256 of the text, in hex; enough for 256 random bits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def __repr__(self) -> str:
        return f"RefreshToken({self.session_id})"


class RefreshTokens:
    """Makes refresh tokens and knows its own: session id, secret and a MAC over both. Made-up
    ones are turned away here and never become commands.
    """

    def __init__(self, settings: Settings) -> None:
        self._key = b64decode(settings.lookup_key.get_secret_value())

    def new(self, session_id: UUID) -> RefreshToken:
        """A fresh token for a session."""
        return self._of(session_id, secrets.token_bytes(SECRET_BYTES))

    def _of(self, session_id: UUID, secret: bytes) -> RefreshToken:
        body = session_id.bytes + secret
        text = urlsafe_b64encode(body + self._mac(body)).decode()
        return RefreshToken(session_id, text)

    def following(self, spent: RefreshToken) -> RefreshToken:
        """The one token that this one is exchanged for: whoever asks twice gets it twice. Nobody
        derives it without the key.
        """
        secret = hmac.digest(self._key, b"next refresh token" + spent.text.encode(), hashlib.sha256)
        return self._of(spent.session_id, secret)

    def parse(self, text: str) -> RefreshToken | None:
        """The token in `text`, None if it was never one of ours."""
        try:
            packed = urlsafe_b64decode(text.encode("ascii"))
        except ValueError:
            return None
        body, mac = packed[:-MAC_BYTES], packed[-MAC_BYTES:]
        if len(packed) != REFRESH_BYTES or not hmac.compare_digest(mac, self._mac(body)):
            return None
        token = RefreshToken(UUID(bytes=body[:SESSION_ID_BYTES]), text)
        canonical = urlsafe_b64encode(packed).decode() == text
        return token if canonical else None

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, b"refresh token" + body, hashlib.sha256)[:MAC_BYTES]


def _unpadded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
