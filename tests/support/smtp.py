"""A mail server on the loopback address that keeps what it is sent."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import unescape
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Mailbox:
    """Letters in the order they came. ``refusals`` is how many more are refused for now."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    refusals: int = 0

    @property
    def settings(self) -> dict[str, str]:
        """What sends letters here."""
        return {
            "EMAIL_TRANSPORT": "smtp",
            "EMAIL_SMTP_HOST": "127.0.0.1",
            "EMAIL_SMTP_PORT": str(self.port),
            "EMAIL_SMTP_IGNORE_TLS": "true",
        }

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (the library's name)
        if self.refusals:
            self.refusals -= 1
            return "451 later"
        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    async def letter(self, to: str, seconds: float = 40) -> EmailMessage:
        """The next letter to somebody; taken out."""
        async with asyncio.timeout(seconds):
            while True:
                for letter in self.letters:
                    if letter["To"] == to:
                        self.letters.remove(letter)
                        return letter
                await asyncio.sleep(0.02)

    async def token(self, to: str) -> str:
        """The token in the link of the next letter to somebody."""
        found = re.search(r'href="([^"]*token=([^"&]+))"', unescape((await self.letter(to)).get_content()))
        assert found is not None
        return found[2]


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mail server for the length of the block."""
    from tests.support.server import free_port

    box = Mailbox(free_port())
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
