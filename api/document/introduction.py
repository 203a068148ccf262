"""What the OpenAPI document says first: the rules that hold for every operation, and the socket,
of which OpenAPI has no words. Numbers and names that the code knows are taken from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

from api.backends.keyring import PREFIX
from api.entry.paging import DEPTH_MAX, LIMIT_DEFAULT, LIMIT_MAX
from api.messaging.events import HISTORY_MAX, TYPING_S
from api.messaging.realtime import HANDLERS, PACKET_BYTES_MAX, PATH, REFUSAL
from api.wire.problems import BODY_BYTES_MAX, ProblemBody
from schemas.log.messages import Role

# What an acknowledgement holds when all went well; of others it is empty.
ACKNOWLEDGED: Final[Mapping[str, str]] = {
    "join-chat": "`chatId`",
    "send-message": "`messageId`, `chatId`",
}
_MESSAGE: Final = "`id`, `chatId`, `itemId`, `sender` (`id`, `name`), `content`, `timestamp`"
MEANT: Final[Mapping[str, str]] = {
    "join-chat": "by `chatId`, or by the `itemId` of a listing or item (its owner adds `buyerId`)",
    "send-message": "a buyer's first words need the `itemId`; under a `clientId` of your own it may"
    " be sent again, and is said once",
    "typing": "after `join-chat`",
    "stop-typing": "the same",
}
# What the server emits, to whom, and with which fields.
HEARD: Final[Mapping[str, str]] = {
    "chat-history": "after `join-chat`: `chatId`, `messages`, the last"
    f" {HISTORY_MAX}, each with {_MESSAGE}, `recipientId`, `readAt`, and, where the mesh tells what one"
    " of the two has done, `notice` instead of words",
    "new-message": f"to all who joined the chat: {_MESSAGE}, `recipientId`, `consistencyToken`",
    "message-notification": "to every device of the recipient: the same without `recipientId`",
    "messages-read": "to whoever wrote: `chatId`, `messageId`, `readerId`, `readAt`",
    "presence": "to whom one has exchanged words with, when one comes or goes: `userId`, `online`,"
    " `lastSeen`; see `read_presence`",
    "user-typing": "to the others in the chat: `chatId`, `userId`, `name`",
    "user-stop-typing": f"the same without `name`; comes by itself after {TYPING_S:.0f} s",
    "error": "to whoever sent what failed: `message`, `code` (as `reason` is over HTTP), `event`;"
    " with some `detail`, `errors`, `retryAfter` (seconds)",
}


def introduction() -> str:
    """The text, as Markdown."""
    roles = ", ".join(f"`{each}`" for each in Role if each is not Role.SYSTEM)
    members = ", ".join(f"`{each}`" for each in ProblemBody.model_fields)
    return f"""\
## Who asks
- Send `Authorization: Bearer …` with the `access_token` that `log_in` gives. It lives for
  `expires_in` seconds; then `refresh_session` exchanges the refresh token for the next pair, once.
- Machines send an API key (`{PREFIX}…`) in the same header: it opens the operations that it was
  issued for. No cookie authenticates anybody.
- Roles: {roles}. One joins as buyer, seller or dealer; admins grant the others.
- Two markets, chosen when joining: on `exotics` vehicles are listed for all to see; on `campus`
  there are items, for people whose proved e-mail is of the same campus.

## Changes
- An `Idempotency-Key` (1 to 255 visible ASCII characters) makes a write that takes one safe to
  repeat: the same key with the same body gives the first answer again, with another body 422.
- An `ETag` is a version. Send it back as `If-Match`: 412 if there is another version by now (read
  again), 428 where it is required and missing. `*` means any version.
- A write answers with a `Consistency-Token`. Reads that are sent it show that write: they wait for
  it a moment, and answer 503 if the read model is still behind. Without it a read may be old.
- Where a path has PUT and PATCH both do the same: fields that are left out stay as they are.

## Errors
- Every error is `application/problem+json`: {members}. `reason` is stable and for programs,
  `detail` for people; each of `errors` says by `pointer` where a fault is (`/field` of the body,
  `?name` of the query, `header:Name`); `version` comes with 412 only, `parked` only to staff and
  owners. `correlation_id` is the answer's `X-Request-Id`, to be told when asking for help.
- 503 has `Retry-After`, in seconds: ask again after that. A write may have been done: repeat it with
  the same `Idempotency-Key`.
- Changes, searches and log-ins are limited: `RateLimit-Policy` and `RateLimit` say how much is
  allowed and left; beyond it is 429, with `Retry-After`.
- Names that an operation does not know, in a query or body, are refused with 422.

## Values
- Lists have `limit` (up to {LIMIT_MAX}, by default {LIMIT_DEFAULT}) and `cursor`, which the page before names with the
  same filters (as does its `Link` header; null on the last), or `page`, as far as item {DEPTH_MAX}.
- Money is whole minor units (cents) beside an ISO 4217 `currency`, under names that end in
  `_minor`. Search parameters `price_min` and `price_max` are in major units; so is the `price` of a
  campus item, whose exact amount is `priceMinor`.
- Times are RFC 3339 in UTC and end with `Z`; those that you send need a zone, too.
- Bodies are UTF-8 JSON of at most {BODY_BYTES_MAX // 1024} KiB; files are sent as `multipart/form-data`.
- There is no CORS: a frontend in a browser serves this API under its own origin, by a proxy.

## Messages as they come: Socket.IO
Connect to `/{PATH}` (Socket.IO protocol 5, long-polling or WebSocket) with an access token, no API
key, in the handshake: `auth: {{token}}`. Without a good one `connect_error` says "{REFUSAL}". The
socket is let go when the token ends: connect again with a new one. Whoever was away reads over HTTP
what they missed. Pages may connect from the API's own origin, or the one that is set up for the
frontend. A packet has at most {PACKET_BYTES_MAX // 1024} KiB. What you emit (`?`: may be left out):
{_lines(_emitted())}

A failure is acknowledged with `error`, which holds what the event `error` does. What you hear:
{_lines(HEARD)}"""


def _emitted() -> dict[str, str]:
    return {
        name: f"{_fields(each.body)}; {MEANT[name]}; {_reply(name)}"
        for name, each in HANDLERS.items()
    }


def _fields(body: type[BaseModel]) -> str:
    found = body.model_fields.items()
    return ", ".join(f"`{name}`" + ("" if field.is_required() else "?") for name, field in found)


def _reply(name: str) -> str:
    told = ACKNOWLEDGED.get(name)
    return f"acknowledged with {told}" if told else "acknowledged with nothing"


def _lines(of: Mapping[str, str]) -> str:
    return "\n".join(f"- `{name}`: {told}" for name, told in of.items())
