"""What registering leads to in a market that counts in tokens."""

from __future__ import annotations

from collections.abc import Sequence

from processors.reacting.reactions import Reaction, asked
from schemas.identity import UserRegistered, user_stream
from schemas.log.messages import Command
from schemas.log.recorded import Recorded
from schemas.wallet import SIGNUP_TOKENS, CreditReason, GrantTokens


def grant_signup_tokens(recorded: Recorded[UserRegistered]) -> Sequence[Command]:
    """Whoever joins a market that counts in tokens has some to begin with."""
    event = recorded.event
    amount = SIGNUP_TOKENS.get(event.market)
    if amount is None:
        return []
    return [
        GrantTokens(
            user_id=event.user_id,
            amount=amount,
            reason=CreditReason.SIGNUP,
            reference=user_stream(event.user_id),
            **asked("grant_signup_tokens", recorded),
        )
    ]


REACTIONS: tuple[Reaction, ...] = (
    Reaction("grant_signup_tokens", (UserRegistered,), grant_signup_tokens),
)
