"""A folder of mails that were sent to nobody: what the local stack's sink has taken.

One file a mail, as it came, newest last by name; readable by the owner only, for mails hold
names and links. The oldest go when there are too many.
"""

from __future__ import annotations

import email
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Final

KEPT_MAX: Final = 1_000
SHOWN_MAX: Final = 200
RECIPIENTS_HEADER: Final = "X-Envelope-To"


@dataclass(frozen=True)
class Mail:
    """One mail and when it came."""

    came_at: datetime
    message: EmailMessage

    @property
    def recipients(self) -> str:
        """Whom the envelope named, whatever the headers say."""
        return str(self.message[RECIPIENTS_HEADER] or "")

    def text(self, kind: str = "plain") -> str:
        """The text of its `plain` or `html` part; empty when there is none."""
        part = self.message.get_body((kind,))
        content = part.get_content() if isinstance(part, EmailMessage) else ""
        return content.replace("\r\n", "\n") if isinstance(content, str) else ""


@dataclass(frozen=True)
class Mailbox:
    """The mails in one folder."""

    folder: Path

    def keep(self, content: bytes, recipients: Sequence[str]) -> None:
        """Add a mail, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{time.time_ns():020}.eml"
        draft = path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(f"{RECIPIENTS_HEADER}: {', '.join(recipients)}\r\n".encode())
            file.write(content)
        draft.replace(path)
        for old in self._paths()[:-KEPT_MAX]:
            old.unlink(missing_ok=True)

    def newest(self, count: int = 20) -> list[Mail]:
        """The last mails, newest first."""
        wanted = min(count, SHOWN_MAX)
        return [_read(path) for path in reversed(self._paths()[-wanted:])] if wanted > 0 else []

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.eml")) if self.folder.exists() else []


def _read(path: Path) -> Mail:
    message = email.message_from_bytes(path.read_bytes(), policy=default)
    return Mail(datetime.fromtimestamp(int(path.stem) / 1e9, UTC), message)
