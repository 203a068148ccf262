"""Push to apps: Firebase Cloud Messaging, HTTP v1.

A service account's signed word is traded for an access token, which is kept until shortly before
it ends. FCM has no key by which it would know a repeat; phones show one message of each tag.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from infra.channels.errors import (
    ChannelRefusedError,
    ChannelUnavailableError,
    GoneError,
)
from infra.channels.posting import Answer, Poster
from infra.channels.push import (
    DeviceSubscription,
    PushKind,
    PushMessage,
    PushSubscription,
    as_json,
    device_fault,
)
from infra.channels.web_push import topic
from infra.settings import Settings, SettingsError

WHO: Final = "FCM"
GOOGLE: Final = "Google's token service"
SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_S: Final = 3_600
SPARE_S: Final = 300.0  # a token is not used in its last minutes
_BAD_REQUEST, _UNAUTHORIZED = 400, 401
_FCM_ERROR: Final = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


class ServiceAccount(BaseModel):
    """What we need of a service account's key file."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    project_id: str = Field(pattern=r"^[a-z0-9-]{1,100}$")
    client_email: str = Field(min_length=1)
    private_key: SecretStr
    private_key_id: str = ""
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address


class Fcm:
    """Sends to apps of one project."""

    kinds: frozenset[PushKind] = frozenset({"fcm"})

    def __init__(self, settings: Settings, poster: Poster) -> None:
        self._account, self._key = _account(settings)
        self._url = f"{settings.fcm_url}/v1/projects/{self._account.project_id}/messages:send"
        self._poster = poster
        self._token: tuple[str, float] = "", 0.0  # and until when, of time.monotonic()
        self._asking = asyncio.Lock()

    def __repr__(self) -> str:
        return "Fcm(…)"

    async def send(
        self, message: PushMessage, subscription: PushSubscription, effect_id: UUID
    ) -> None:
        """See PushSender."""
        if not isinstance(subscription, DeviceSubscription):
            reason = "the subscription is no app's"
            raise ChannelRefusedError(reason)
        if fault := device_fault(subscription):
            raise ChannelRefusedError(fault)
        token = await self._access_token()
        body = orjson.dumps({"message": _message(message, subscription, effect_id)})
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        answer = await self._poster.post(self._url, headers, body)
        if answer.status == _UNAUTHORIZED and self._token[0] == token:
            self._token = "", 0.0
        if not answer.is_ok:
            raise _meant(answer)

    async def _access_token(self) -> str:
        async with self._asking:  # one asks, the others wait for what it gets
            token, until = self._token
            if time.monotonic() >= until:
                token, lasts_s = await self._new_token()
                self._token = token, time.monotonic() + lasts_s - SPARE_S
            return token

    async def _new_token(self) -> tuple[str, float]:
        now = int(time.time())
        claims = {
            "iss": self._account.client_email,
            "scope": SCOPE,
            "aud": self._account.token_uri,
            "iat": now,
            "exp": now + ASSERTION_S,
        }
        head = {"alg": "RS256", "typ": "JWT", "kid": self._account.private_key_id}
        form = urlencode({"grant_type": GRANT, "assertion": jwt.encode(head, claims, self._key)})
        answer = await self._poster.post(
            self._account.token_uri,
            {"Content-Type": "application/x-www-form-urlencoded"},
            form.encode("ascii"),
        )
        if not answer.is_ok:
            raise answer.unavailable(GOOGLE)
        said = answer.fields()
        token, lasts_s = said.get("access_token"), said.get("expires_in")
        if not (isinstance(token, str) and token.isascii() and isinstance(lasts_s, int)):
            reason = f"{GOOGLE} gave no token"
            raise ChannelUnavailableError(reason)
        return token, float(lasts_s)


def _account(settings: Settings) -> tuple[ServiceAccount, RSAKey]:
    try:
        found = ServiceAccount.model_validate_json(settings.fcm_account.get_secret_value())
        key = RSAKey.import_key(found.private_key.get_secret_value())
    except (ValidationError, ValueError, JoseError):
        message = "FCM_ACCOUNT is no service account's key file: give the JSON that Google gives"
        raise SettingsError(message) from None
    address = urlsplit(found.token_uri)
    local = address.hostname == "127.0.0.1" and settings.mode == "development"
    if address.scheme not in ({"https", "http"} if local else {"https"}):
        message = "FCM_ACCOUNT: token_uri must begin with https://"
        raise SettingsError(message)
    return found, key


def _message(message: PushMessage, to: DeviceSubscription, effect_id: UUID) -> Mapping[str, Any]:
    told = orjson.loads(as_json(message, effect_id))
    high = message.urgency == "high"
    return {
        "token": to.token,
        "notification": {"title": message.title, "body": message.body},
        "data": {name: told[name] for name in ("url", "tag", "id")},
        "android": {
            "priority": "HIGH" if high else "NORMAL",
            "ttl": f"{message.ttl_s}s",
            "notification": {"tag": told["tag"]},
        },
        "apns": {
            "headers": {
                "apns-collapse-id": topic(message, effect_id),
                "apns-expiration": str(int(time.time()) + message.ttl_s),
                "apns-priority": "10" if high else "5",
            }
        },
    }


def _meant(answer: Answer) -> Exception:
    code = _code(answer)
    if code == "UNREGISTERED":
        return GoneError(str(answer.refused(WHO)))
    # A 404 without that code, and a 403 without this one, are about the project.
    if answer.status == _BAD_REQUEST or code == "SENDER_ID_MISMATCH":
        return answer.refused(WHO)
    return answer.unavailable(WHO)


def _code(answer: Answer) -> str:
    error = answer.fields().get("error")
    details = error.get("details") if isinstance(error, dict) else None
    for each in details if isinstance(details, list) else ():
        if isinstance(each, dict) and each.get("@type") == _FCM_ERROR:
            return str(each.get("errorCode"))
    return ""
