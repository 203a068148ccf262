"""Mail through Amazon SES: POST /v2/email/outbound-emails, with the whole mail as we compose it.

SES puts a Message-ID of its own in the place of ours and has no key by which it would know a
repeat: of two copies only the X-header tells that they are one. The signature is AWS's Signature
Version 4.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import orjson

from infra.channels.errors import ChannelRefusedError
from infra.channels.mail import Message, composed
from infra.channels.posting import Answer, Poster
from infra.settings import Settings

WHO: Final = "SES"
PATH: Final = "/v2/email/outbound-emails"
# Of this one mail; what else comes with a 400 is about the account: paused, not verified.
_REFUSED: Final = frozenset({"MessageRejected", "BadRequestException"})
_TOO_LARGE = 413
_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Signer:
    """Signs requests to one service in one region."""

    access_key: str
    secret_key: str
    region: str
    service: str = "ses"

    def __repr__(self) -> str:
        return "Signer(…)"

    def headers(self, url: str, body: bytes, now: datetime) -> Mapping[str, str]:
        """The headers of a signed POST of JSON to an address without a query."""
        parts = urlsplit(url)
        stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        sent = {"Content-Type": "application/json", "Host": parts.netloc, "X-Amz-Date": stamp}
        names = ";".join(name.lower() for name in sent)  # they are in order
        canonical = "\n".join(
            (
                "POST",
                parts.path,
                "",
                *(f"{name.lower()}:{value}" for name, value in sent.items()),
                "",
                names,
                hashlib.sha256(body).hexdigest(),
            )
        )
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        signed = "\n".join(
            (_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest())
        )
        signature = hmac.digest(self._key(stamp[:8]), signed.encode(), hashlib.sha256).hex()
        credential = f"Credential={self.access_key}/{scope}"
        proof = f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
        return {**sent, "Authorization": proof}

    def _key(self, day: str) -> bytes:
        key = b"AWS4" + self.secret_key.encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.digest(key, part.encode(), hashlib.sha256)
        return key


class SesMailer:
    """Sends with one access key, in one region."""

    def __init__(self, settings: Settings, poster: Poster) -> None:
        region = settings.ses_region
        self._url = (settings.ses_url or f"https://email.{region}.amazonaws.com") + PATH
        self._from = settings.mail_from
        self._signer = Signer(
            settings.ses_access_key, settings.ses_secret_key.get_secret_value(), region
        )
        self._poster = poster

    async def send(self, message: Message, effect_id: UUID) -> None:
        """See Mailer."""
        mail = composed(message, effect_id, self._from)
        (to,) = mail["To"].addresses
        if not to.addr_spec.isascii():
            reason = f"{WHO} can't write to this address"
            raise ChannelRefusedError(reason)
        raw = {"Data": b64encode(mail.as_bytes()).decode()}
        body = orjson.dumps({"Content": {"Raw": raw}})
        headers = self._signer.headers(self._url, body, datetime.now(UTC))
        answer = await self._poster.post(self._url, headers, body)
        if not answer.is_ok:
            raise _meant(answer)


def _meant(answer: Answer) -> Exception:
    # `MessageRejected`, or `MessageRejected:http://internal…`.
    kind = answer.headers.get("x-amzn-errortype", "").partition(":")[0]
    if kind in _REFUSED or answer.status == _TOO_LARGE:
        return answer.refused(WHO)
    return answer.unavailable(WHO)
