"""What operations need of the world outside the database; whoever starts flows brings it along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an HTTP request; ``data`` is parsed where it is JSON, else text."""

    status: int
    reason: str
    headers: Mapping[str, str]
    data: Any


class Unreachable(Exception):
    """There was no answer; the text says why, without secrets."""


class Outside(Protocol):
    """HTTP and mail."""

    async def request(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes | None
    ) -> Answer:
        """Ask another server. Raises Unreachable, also for addresses that must not be asked."""

    async def mail(self, message: Mapping[str, Any], flow: str) -> None:
        """Send a mail of a flow some time: ``to``, ``cc``, ``bcc``, ``replyTo``, ``subject``, ``html`` or
        ``template`` with ``data``. Raises ActaError when it can't even be queued."""
