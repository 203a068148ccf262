"""SMS through Twilio: POST /2010-04-01/Accounts/{sid}/Messages.json.

Twilio has no key by which it would know a repeat of this call: an SMS is sent at least once. When
no answer comes it may have been taken, and each further try may be one more SMS, on somebody's
phone and on the bill. So that one is deferred, for tries of which are few, and not the channel taken
for away, for which tries have no end.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from infra.channels.errors import ChannelDeferredError
from infra.channels.posting import Answer, Poster, UnansweredError
from infra.channels.sms import Sms, checked
from infra.settings import Settings

WHO: Final = "Twilio"
SERVICE_LENGTH: Final = 34  # MG and 32 hex digits
_BAD_REQUEST = 400
# What Twilio says with a 400 of how we are set up, and so of every SMS: the sender is none of
# ours (21212, 21603, 21606, 21659, 21660), not there (21701 to 21705), has too many waiting (21611),
# may not be used (21266), or the account may send nothing at all (10001, 10002, 20005).
_OURS: Final = frozenset(
    {10001, 10002, 20005, 21212, 21266, 21603, 21606, 21611, 21659, 21660}
    | {21701, 21702, 21703, 21704, 21705}
)


class TwilioSms:
    """Sends with one account, from one number, name or Messaging Service."""

    def __init__(self, settings: Settings, poster: Poster) -> None:
        account, token = settings.twilio_account, settings.twilio_token.get_secret_value()
        self._url = f"{settings.twilio_url}/2010-04-01/Accounts/{account}/Messages.json"
        self._headers = {
            "Authorization": f"Basic {b64encode(f'{account}:{token}'.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        service = len(settings.twilio_from) == SERVICE_LENGTH  # numbers and names are shorter
        self._sender = {("MessagingServiceSid" if service else "From"): settings.twilio_from}
        self._poster = poster

    async def send(self, sms: Sms, effect_id: UUID) -> None:
        """See SmsSender. The id has nowhere to go: see above."""
        del effect_id
        checked(sms)
        form = urlencode({"To": sms.number, "Body": sms.text, **self._sender})
        try:
            answer = await self._poster.post(self._url, self._headers, form.encode("ascii"))
        except UnansweredError as error:
            raise ChannelDeferredError(str(error)) from None
        if not answer.is_ok:
            raise _meant(answer)


def _meant(answer: Answer) -> Exception:
    code = answer.fields().get("code")
    if answer.status != _BAD_REQUEST or code in _OURS:
        return answer.unavailable(WHO)
    # A number that is none or no mobile's (21211, 21614), somebody who wants none (21610), a country
    # that is not allowed (21408): numbers of Twilio's, and nothing of the person's.
    return answer.refused(WHO, code)
