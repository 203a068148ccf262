"""What a channel says when it does not take something, the same whatever the channel.

Their texts are our own words and numbers, never the provider's: those may name the person.
"""

from __future__ import annotations


class _LaterError(Exception):
    def __init__(self, reason: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s  # how long we are asked to wait, where that is said


class ChannelUnavailableError(_LaterError):
    """Nothing can be sent now, to nobody: the provider is away, or turns us away."""


class ChannelDeferredError(_LaterError):
    """The provider does not take this one now; it takes others."""


class ChannelRefusedError(Exception):
    """It will never be taken. The text tells why without saying whose it is."""


class GoneError(ChannelRefusedError):
    """Whom it was for is there no more, and will not be again: forget this subscription."""
