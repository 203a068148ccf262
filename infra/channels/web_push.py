"""Push to browsers: RFC 8030 with VAPID (RFC 8292).

The address that we post to came from a client, so it is one of the push services of PUSH_HOSTS,
over https, and leads to a public address (infra.fetching). And what goes wrong there is of that one
subscription, whatever it is: with an address that does not answer nobody can stop others' messages.
"""

from __future__ import annotations

import hashlib
import time
from base64 import urlsafe_b64encode
from fnmatch import fnmatchcase
from typing import Final
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from infra.channels.errors import ChannelDeferredError, ChannelRefusedError, GoneError
from infra.channels.posting import Answer, NotReachedError, Poster, UnansweredError
from infra.channels.push import (
    PushKind,
    PushMessage,
    PushSubscription,
    WebSubscription,
    as_json,
)
from infra.channels.web_push_body import Once, browser_keys, encoded, encrypted
from infra.fetching import AddressRefusedError, address_of
from infra.settings import Settings, vapid_number

WHO: Final = "the push service"
VAPID_S: Final = 12 * 3600  # RFC 8292 allows 24 hours
TOPIC_LENGTH: Final = 32  # RFC 8030: the most
_GONE: Final = frozenset({404, 410})
_LATER: Final = frozenset({408, 425, 429})
_SERVER_ERROR = 500


class WebPush:
    """Sends to browsers that have subscribed with our public key."""

    kinds: frozenset[PushKind] = frozenset({"web"})

    def __init__(self, settings: Settings, poster: Poster) -> None:
        self._settings = settings
        self._poster = poster
        key = _vapid(settings)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._key = ECKey.import_key(pem)
        self._public = _text(encoded(key.public_key()))

    def __repr__(self) -> str:
        return "WebPush(…)"

    async def send(
        self, message: PushMessage, subscription: PushSubscription, effect_id: UUID
    ) -> None:
        """See PushSender."""
        if not isinstance(subscription, WebSubscription):
            reason = "the subscription is no browser's"
            raise ChannelRefusedError(reason)
        if fault := web_fault(subscription, self._settings):
            raise ChannelRefusedError(fault)
        to = browser_keys(subscription.p256dh, subscription.auth)
        body = encrypted(as_json(message, effect_id), to, Once())
        headers = {
            "TTL": str(message.ttl_s),
            "Urgency": message.urgency,
            "Topic": topic(message, effect_id),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "Authorization": self._authorization(subscription.endpoint),
        }
        try:
            answer = await self._poster.post(subscription.endpoint, headers, body)
        except (NotReachedError, UnansweredError) as error:
            raise ChannelDeferredError(str(error)) from None
        except AddressRefusedError as error:
            reason = f"{WHO} {error}"
            raise ChannelRefusedError(reason) from None
        if not answer.is_ok:
            raise _meant(answer)

    def _authorization(self, endpoint: str) -> str:
        address = httpx.URL(endpoint)
        claims = {
            "aud": f"{address.scheme}://{address.netloc.decode('ascii')}",
            "exp": int(time.time()) + VAPID_S,
            "sub": f"mailto:{self._settings.mail_from.rpartition('<')[2].rstrip('>')}",
        }
        return f"vapid t={jwt.encode({'alg': 'ES256'}, claims, self._key)}, k={self._public}"


def vapid_public_key(settings: Settings) -> str:
    """What a page gives its browser as `applicationServerKey`; empty where there is none."""
    if not settings.vapid_key.get_secret_value():
        return ""
    return _text(encoded(_vapid(settings).public_key()))


def web_fault(subscription: WebSubscription, settings: Settings) -> str:
    """Why nothing can ever be sent to it, and what to do about it; empty when something can."""
    try:
        address = address_of(subscription.endpoint)
    except AddressRefusedError as error:
        return f"the endpoint {error}"
    if address.scheme != "https":
        return "the endpoint does not begin with https://"
    if not _is_service(address, settings):
        return "the endpoint is of no push service that we know"
    try:
        browser_keys(subscription.p256dh, subscription.auth)
    except ValueError:
        return "the keys are none: give p256dh and auth as the browser does"
    return ""


def topic(message: PushMessage, effect_id: UUID) -> str:
    """A name for what a message takes the place of, in a form that every service takes."""
    digest = hashlib.sha256((message.tag or str(effect_id)).encode()).digest()
    return _text(digest)[:TOPIC_LENGTH]


def _is_service(address: httpx.URL, settings: Settings) -> bool:
    known = filter(None, settings.push_hosts.replace(" ", "").split(","))
    return any(fnmatchcase(address.host, each) for each in known)


def _meant(answer: Answer) -> Exception:
    if answer.status in _GONE:
        return GoneError(str(answer.refused(WHO)))
    if answer.status in _LATER or answer.status >= _SERVER_ERROR:
        return ChannelDeferredError(f"{WHO} answered {answer.status}", answer.retry_after_s)
    # 401 and 403 too: made with another key than ours, it is not dead, but none of ours.
    return answer.refused(WHO)


def _vapid(settings: Settings) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(vapid_number(settings.vapid_key), ec.SECP256R1())


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
