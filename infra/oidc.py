"""OpenID Connect providers: where to send somebody, and what they tell of whoever comes back.

Code flow with PKCE (S256), state and nonce. Nothing that a provider says counts before its ID
token's signature, issuer, audience, age and nonce have been checked. Providers come from the
settings and nowhere else; redirects are not followed, and every call has a bound.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.common.security import generate_token
from authlib.deprecate import AuthlibDeprecationWarning
from authlib.integrations.base_client import OAuthError
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from infra.settings import Settings, SettingsError

# Authlib wants `httpx2` for this client and works with httpx; people at a terminal have no use
# for being told so by every command. Its first import makes all of its warnings always shown.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.integrations.httpx_client import AsyncOAuth2Client

TIMEOUT = httpx.Timeout(5.0, connect=3.0)
DOCUMENT_BYTES_MAX = 512 * 1024
FRESH_S = 3_600.0  # how long metadata and keys are taken as they are
REFETCH_S = 10.0  # an unknown key makes us look again, so often at most
LEEWAY_S = 60
SCOPE = "openid email profile"
SUBJECT_LENGTH_MAX = 255
# Signatures only. With a symmetric one, whoever knows the public key could sign.
ALGORITHMS = ("RS256", "PS256", "ES256")
NONCE_LENGTH = 32
VERIFIER_LENGTH = 64


class ProviderUnavailableError(Exception):
    """The provider does not answer, or not as the standard says; try again later."""


class ProviderRefusedError(Exception):
    """What came from the provider proves nothing; the text is a stable code."""


class ProviderSettings(BaseModel):
    """One provider in OIDC_PROVIDERS."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str
    client_id: str = Field(min_length=1)
    client_secret: SecretStr


@dataclass(frozen=True)
class Identity:
    """Whom a provider has let in. `email_verified`: it vouches for the e-mail."""

    issuer: str
    subject: str
    email: str
    email_verified: bool
    name: str

    def __repr__(self) -> str:
        return "Identity(…)"


@dataclass(frozen=True)
class Challenge:
    """What one log-in is tied to: it never leaves the browser that began it, but for `state`
    and the hash of `verifier`.
    """

    state: str
    nonce: str
    verifier: str


def new_challenge() -> Challenge:
    """A challenge that nobody can guess."""
    return Challenge(
        generate_token(NONCE_LENGTH), generate_token(NONCE_LENGTH), generate_token(VERIFIER_LENGTH)
    )


def open_providers(settings: Settings) -> Mapping[str, Provider]:
    """Every provider of the settings by its name; raises SettingsError. Calls none of them."""
    adapter = TypeAdapter(Mapping[str, ProviderSettings])
    try:
        found = adapter.validate_json(settings.oidc_providers.get_secret_value() or "{}")
    except ValidationError as error:
        # Their values hold secrets; where they are wrong does not.
        places = ", ".join(".".join(str(part) for part in each["loc"]) for each in error.errors())
        message = f"OIDC_PROVIDERS is wrong at {places or 'its first character'}"
        raise SettingsError(message) from None
    for name, each in found.items():
        if not is_safe(each.issuer, settings):
            message = f"OIDC_PROVIDERS: the issuer of {name} must be an https address"
            raise SettingsError(message)
    return {name: Provider(each, settings) for name, each in found.items()}


def is_safe(address: str, settings: Settings) -> bool:
    """Whether secrets may go there: https, or this machine while developing."""
    parts = urlsplit(address)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return (
        parts.scheme == "http"
        and settings.mode == "development"
        and _is_loopback(parts.hostname or "")
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Provider:
    """One provider. Its metadata and keys are fetched when first needed, and kept a while."""

    def __init__(self, own: ProviderSettings, settings: Settings) -> None:
        self.issuer = own.issuer
        self._own = own
        self._settings = settings
        self._metadata: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def authorization_url(self, challenge: Challenge, redirect_uri: str) -> str:
        """Where to send the browser."""
        endpoint = await self._endpoint("authorization_endpoint")
        async with self._client(redirect_uri) as client:
            address, _ = client.create_authorization_url(
                endpoint,
                state=challenge.state,
                nonce=challenge.nonce,
                code_verifier=challenge.verifier,
            )
        return str(address)

    async def identity_of(self, code: str, challenge: Challenge, redirect_uri: str) -> Identity:
        """Whom the code is for; raises ProviderRefusedError, ProviderUnavailableError."""
        token = await self._exchange(code, challenge, redirect_uri)
        claims = await self._checked(str(token.get("id_token") or ""), challenge.nonce)
        email = claims.get("email")
        name = claims.get("name")
        return Identity(
            issuer=self.issuer,
            subject=claims["sub"],
            email=email if isinstance(email, str) else "",
            email_verified=claims.get("email_verified") is True,
            name=name if isinstance(name, str) else "",
        )

    def _client(self, redirect_uri: str) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            client_id=self._own.client_id,
            client_secret=self._own.client_secret.get_secret_value(),
            redirect_uri=redirect_uri,
            scope=SCOPE,
            code_challenge_method="S256",
            timeout=TIMEOUT,
            follow_redirects=False,
        )

    async def _exchange(
        self, code: str, challenge: Challenge, redirect_uri: str
    ) -> Mapping[str, Any]:
        endpoint = await self._endpoint("token_endpoint")
        async with self._client(redirect_uri) as client:
            try:
                found: Mapping[str, Any] = await client.fetch_token(
                    endpoint, code=code, code_verifier=challenge.verifier
                )
            except OAuthError:
                raise ProviderRefusedError("code_refused") from None
            except (httpx.HTTPError, ValueError, TypeError, AttributeError) as error:
                raise ProviderUnavailableError(type(error).__name__) from None
        return found

    async def _checked(self, id_token: str, nonce: str) -> dict[str, Any]:
        try:
            keys = await self._key_set()
            try:
                token = jwt.decode(id_token, keys, algorithms=list(ALGORITHMS))
            except (JoseError, ValueError):
                # Perhaps it was signed with a key that is newer than ours.
                token = jwt.decode(
                    id_token, await self._key_set(REFETCH_S), algorithms=list(ALGORITHMS)
                )
            claims = token.claims
            self._registry(nonce).validate(claims)
        except (JoseError, ValueError, TypeError):
            raise ProviderRefusedError("id_token_invalid") from None
        if not _is_for(claims, self._own.client_id) or not _is_subject(claims.get("sub")):
            raise ProviderRefusedError("id_token_invalid")
        return claims

    def _registry(self, nonce: str) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self._own.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )

    async def _endpoint(self, name: str) -> str:
        metadata = await self._known_metadata()
        address = metadata.get(name)
        if not isinstance(address, str) or not is_safe(address, self._settings):
            raise ProviderUnavailableError(name)
        return address

    async def _known_metadata(self) -> Mapping[str, Any]:
        known = self._metadata
        if known is None or time.monotonic() - known[0] > FRESH_S:
            base = self.issuer.rstrip("/")
            found = await self._fetch(f"{base}/.well-known/openid-configuration")
            if found.get("issuer") != self.issuer:
                # It speaks for somebody else: RFC 8414, 3.3.
                raise ProviderUnavailableError("issuer")
            known = self._metadata = (time.monotonic(), found)
        return known[1]

    async def _key_set(self, fresh_s: float = FRESH_S) -> KeySet:
        known = self._keys
        if known is None or time.monotonic() - known[0] > fresh_s:
            found = await self._fetch(await self._endpoint("jwks_uri"))
            try:
                document: KeySetSerialization = {"keys": found["keys"]}
                known = (time.monotonic(), KeySet.import_key_set(document))
            except (JoseError, KeyError, TypeError, ValueError, AttributeError) as error:
                raise ProviderUnavailableError(type(error).__name__) from None
            self._keys = known
        return known[1]

    async def _fetch(self, address: str) -> Mapping[str, Any]:
        try:
            async with (
                httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False) as client,
                client.stream("GET", address, headers={"Accept": "application/json"}) as answer,
            ):
                if answer.status_code != httpx.codes.OK:
                    raise ProviderUnavailableError(str(answer.status_code))
                found = json.loads(await _bounded(answer))
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            raise ProviderUnavailableError(type(error).__name__) from None
        if not isinstance(found, dict):
            raise ProviderUnavailableError("document")
        return found


async def _bounded(answer: httpx.Response) -> bytes:
    body = b""
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > DOCUMENT_BYTES_MAX:
            raise ProviderUnavailableError("too_large")
    return body


def _is_for(claims: Mapping[str, Any], client_id: str) -> bool:
    """Whether the token was made for us: one with more audiences must name us as its party."""
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    party = claims.get("azp")
    return party == client_id if several or party is not None else True


def _is_subject(subject: object) -> bool:
    return isinstance(subject, str) and 0 < len(subject) <= SUBJECT_LENGTH_MAX
