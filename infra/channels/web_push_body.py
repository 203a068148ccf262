"""What a browser alone can read of a push message: RFC 8291 over RFC 8188's aes128gcm.

The key of each message comes from a key pair made for it, the browser's public key and the secret
that it shares with us; the push service between us has none of that.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SALT_BYTES: Final = 16
AUTH_BYTES: Final = 16
KEY_TEXT_LENGTH_MAX: Final = 200  # of the browser's keys as text: 87 and 22 are due
_RECORD_BYTES: Final = 4_096
_LAST: Final = b"\x02"  # ends the text of the last record, and of the only one


@dataclass(frozen=True)
class BrowserKeys:
    """What a browser has told us to encrypt with."""

    public: ec.EllipticCurvePublicKey
    auth: bytes

    def __repr__(self) -> str:
        return "BrowserKeys(…)"


@dataclass(frozen=True)
class Once:
    """What is made for one message, and never used for another: with the same salt and keys two
    messages would give each other away.
    """

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    salt: bytes = field(default_factory=lambda: os.urandom(SALT_BYTES))

    def __repr__(self) -> str:
        return "Once(…)"


def browser_keys(p256dh: str, auth: str) -> BrowserKeys:
    """A browser's keys from its base64url; raises ValueError for what is none."""
    secret = _decoded(auth)
    if len(secret) != AUTH_BYTES:
        message = f"auth is not {AUTH_BYTES} bytes"
        raise ValueError(message)
    point = _decoded(p256dh)
    return BrowserKeys(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point), secret)


def encrypted(text: bytes, to: BrowserKeys, once: Once) -> bytes:
    """The body of a message, to be sent as it is."""
    ours, theirs = encoded(once.key.public_key()), encoded(to.public)
    shared = once.key.exchange(ec.ECDH(), to.public)
    secret = _derived(to.auth, shared, b"WebPush: info\0" + theirs + ours, 32)
    key = _derived(once.salt, secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(once.salt, secret, b"Content-Encoding: nonce\0", 12)
    head = once.salt + _RECORD_BYTES.to_bytes(4) + len(ours).to_bytes() + ours
    return head + AESGCM(key).encrypt(nonce, text + _LAST, None)


def encoded(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as its 65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derived(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)


def _decoded(text: str) -> bytes:
    if len(text) > KEY_TEXT_LENGTH_MAX or not text.isascii():
        message = "is no key"
        raise ValueError(message)
    bare = text.rstrip("=")
    return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
