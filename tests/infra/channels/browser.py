"""A browser's side of RFC 8291: what it alone can read of what came to it."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra.channels.web_push_body import encoded
from tests.infra.channels.adapters import AUTH, BROWSER


def opened(body: bytes, key: ec.EllipticCurvePrivateKey = BROWSER, auth: bytes = AUTH) -> bytes:
    salt, record, length = body[:16], int.from_bytes(body[16:20]), body[20]
    assert (record, length) == (4_096, 65)
    assert len(body) <= record
    sender, sealed = body[21:86], body[86:]
    shared = key.exchange(
        ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
    )
    info = b"WebPush: info\0" + encoded(key.public_key()) + sender
    secret = _hmac(_hmac(auth, shared), info + b"\1")
    pseudo = _hmac(salt, secret)
    content_key = _hmac(pseudo, b"Content-Encoding: aes128gcm\0\1")[:16]
    nonce = _hmac(pseudo, b"Content-Encoding: nonce\0\1")[:12]
    text = AESGCM(content_key).decrypt(nonce, sealed, None)
    assert text[-1:] == b"\x02"
    return text[:-1]


def _hmac(key: bytes, data: bytes) -> bytes:
    made = hmac.HMAC(key, hashes.SHA256())
    made.update(data)
    return made.finalize()
