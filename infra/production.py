"""What a machine of production must not run with: the comforts of development.

`MODE=production` turns each of them into a fault that ends the process at its start.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from infra.settings import Settings

KEY_BYTES = 32
KEY_BYTES_DISTINCT_MIN = 8  # 32 random bytes have fewer once in 10^35
PASSWORD_LENGTH_MIN = 12
WELL_KNOWN = frozenset(
    {"", "mesh", "postgres", "password", "changeme", "secret", "admin", "default"}
)
ARGON2_KIB_MIN, ARGON2_PASSES_MIN = 19_456, 2  # OWASP's floor
CHEAP_TO_GUESS = "stolen password hashes would be cheap to guess"
ACCESS_TOKEN_S_MAX = 7 * 24 * 3600

Fault = tuple[str, str]  # the setting's name and what is wrong with it


def faults(settings: Settings) -> Iterator[Fault]:
    """Everything that may not be so in production, each with its fix; never a value."""
    yield from _weak_keys(settings)
    yield from _weak_passwords(settings)
    if urlsplit(settings.public_url).scheme != "https":
        yield "PUBLIC_URL", "is not https://: tokens would travel readable"
    if settings.argon2_memory_kib < ARGON2_KIB_MIN:
        yield "ARGON2_MEMORY_KIB", f"is less than {ARGON2_KIB_MIN}: {CHEAP_TO_GUESS}"
    if settings.argon2_passes < ARGON2_PASSES_MIN:
        yield "ARGON2_PASSES", f"is less than {ARGON2_PASSES_MIN}: {CHEAP_TO_GUESS}"
    if settings.log_level == "debug":
        yield "LOG_LEVEL", "is debug: use info"
    if settings.access_token_s > ACCESS_TOKEN_S_MAX:
        yield "ACCESS_TOKEN_S", "is more than 7 days: a lost token would open for too long"
    if settings.fetch_allowed:
        yield (
            "FETCH_ALLOWED",
            "names hosts of our own network: whoever lists pictures would reach them",
        )
    yield from _kept_messages(settings)
    for name in type(settings).model_fields:
        if name.startswith("limit_") and getattr(settings, name) == "off":
            yield name.upper(), "is off: name a limit"


def _kept_messages(settings: Settings) -> Iterator[Fault]:
    for name in ("sms_via", "push_via"):
        if getattr(settings, name) == "sink":
            yield name.upper(), "is sink: people's messages would lie on a disk and reach nobody"
    for name in ("sendgrid_url", "ses_url", "twilio_url", "fcm_url"):
        if getattr(settings, name).startswith("http:"):
            yield name.upper(), "is not https://: secrets would travel readable"


def _weak_keys(settings: Settings) -> Iterator[Fault]:
    keys = {"MASTER_KEY": settings.master_key, "LOOKUP_KEY": settings.lookup_key}
    for name, secret in keys.items():
        key = _decoded(secret.get_secret_value())
        if len(key) != KEY_BYTES:
            yield name, f"is not the base64 text of {KEY_BYTES} bytes"
        elif len(set(key)) < KEY_BYTES_DISTINCT_MIN:
            yield name, "is not random: see .env.example for how to make one"
    if settings.master_key == settings.lookup_key:
        yield "LOOKUP_KEY", "is the MASTER_KEY: each needs a value of its own"


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _weak_passwords(settings: Settings) -> Iterator[Fault]:
    for name in ("database_url", "clickhouse_url", "redis_url"):
        parts = urlsplit(getattr(settings, name).get_secret_value())
        password = parts.password or ""
        if password in WELL_KNOWN | {parts.username}:
            yield name.upper(), "holds no password, or one that everybody knows"
        elif len(password) < PASSWORD_LENGTH_MIN:
            yield name.upper(), f"holds a password of fewer than {PASSWORD_LENGTH_MIN} characters"
