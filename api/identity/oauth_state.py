"""What a browser keeps between leaving for a provider and coming back: one sealed cookie.

It ties the log-in to the browser that began it: a callback whose state is not the cookie's is
somebody else's (log-in CSRF). It lives for ten minutes, no script reads it, other sites' posts
do not send it (SameSite=Lax; the way back from the provider is a top-level GET), and being
encrypted it can neither be read nor made.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from infra.oidc import Challenge
from infra.settings import Settings
from schemas.log.messages import Language, Market

LIFETIME_S = 600
NONCE_BYTES = 12
COOKIE_LENGTH_MAX = 4_000
PATH = "/api/auth/oauth"


@dataclass(frozen=True)
class Pending:
    """A log-in under way. With a `user_id` it links the identity to that person, in the
    session that asked for it.
    """

    challenge: Challenge
    expires_at: float
    market: Market = Market.EXOTICS
    language: Language = Language.ENGLISH
    user_id: str = ""
    session_id: str = ""
    user_version: int = 0


_PENDING = TypeAdapter(Pending)


def keep(response: Response, settings: Settings, provider: str, pending: Pending) -> None:
    """Give the browser the cookie."""
    _set(response, settings, _sealed(settings, provider, pending), LIFETIME_S)


def forget(response: Response, settings: Settings) -> None:
    """Take the cookie away: each is good for one try."""
    _set(response, settings, "", 0)


def _set(response: Response, settings: Settings, value: str, lifetime_s: int) -> None:
    secure = _is_secure(settings)
    response.set_cookie(
        _name(settings),
        value,
        max_age=lifetime_s,
        path="/" if secure else PATH,  # __Host- wants the root
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def pending_of(request: Request, settings: Settings, provider: str, now: float) -> Pending | None:
    """The log-in that this browser has begun with this provider; None without a good cookie."""
    text = request.cookies.get(_name(settings), "")
    if not text or len(text) > COOKIE_LENGTH_MAX:
        return None
    try:
        packed = urlsafe_b64decode(text.encode("ascii"))
        nonce, box = packed[:NONCE_BYTES], packed[NONCE_BYTES:]
        found = _PENDING.validate_json(_cipher(settings).decrypt(nonce, box, provider.encode()))
    except (InvalidTag, ValidationError, ValueError):
        return None
    return found if now < found.expires_at else None


def _sealed(settings: Settings, provider: str, pending: Pending) -> str:
    nonce = os.urandom(NONCE_BYTES)
    box = _cipher(settings).encrypt(nonce, _PENDING.dump_json(pending), provider.encode())
    return urlsafe_b64encode(nonce + box).decode()


def _cipher(settings: Settings) -> AESGCM:
    lookup = b64decode(settings.lookup_key.get_secret_value())
    return AESGCM(hmac.digest(lookup, b"oauth state", hashlib.sha256))


def _is_secure(settings: Settings) -> bool:
    return settings.mode == "production" or settings.public_url.startswith("https:")


def _name(settings: Settings) -> str:
    return "__Host-mesh_oauth" if _is_secure(settings) else "mesh_oauth"
