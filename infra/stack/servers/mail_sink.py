"""`python -m infra.stack.servers.mail_sink PORT FOLDER`: an SMTP server that delivers nothing.

It takes every mail on loopback and keeps it as a file: development and tests use real SMTP,
and nobody outside ever gets a mail by mistake.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any, Final

from aiosmtpd.smtp import SMTP

from infra.stack.servers.mailbox import Mailbox

MAIL_BYTES_MAX: Final = 1_000_000
IDLE_S: Final = 60.0


class Keeping:
    """What aiosmtpd asks for each mail."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - its name
        """Keep a mail; SMTP's answer."""
        await asyncio.to_thread(self._box.keep, envelope.content, envelope.rcpt_tos)
        return "250 kept"


async def serve(port: int, folder: Path) -> None:
    """Take mails until SIGTERM or SIGINT."""
    handler = Keeping(Mailbox(folder))

    def dialogue() -> SMTP:
        return SMTP(
            handler,
            data_size_limit=MAIL_BYTES_MAX,
            enable_SMTPUTF8=True,
            hostname="localhost",
            timeout=IDLE_S,
        )

    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await loop.create_server(dialogue, "127.0.0.1", port)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
