"""The world outside as flows see it: other servers, and mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

from domain.errors import InvalidPayload
from domain.flows.outside import Answer
from projections.outward.http import HttpClient


class Letters(Protocol):
    """Takes letters and sends them some time."""

    def letter(self, to: str, subject: str, template: str, variables: Mapping[str, object]) -> None:
        """Send one."""


class World:
    """HTTP through a guarded client, mail through whoever carries letters."""

    def __init__(self, client: HttpClient, letters: Letters) -> None:
        self._client = client
        self._letters = letters

    async def close(self) -> None:
        """Give connections up."""
        await self._client.close()

    async def request(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes | None
    ) -> Answer:
        """Ask another server. Raises Unreachable."""
        return await self._client.request(method, url, headers, body)

    async def mail(self, message: Mapping[str, Any]) -> None:
        """Write a letter to everybody who is named.

        Raises:
            InvalidPayload: when nobody is.
        """
        readers = [reader for name in ("to", "cc", "bcc") for reader in _addresses(message.get(name))]
        if not readers:
            raise InvalidPayload('"to" is required')
        template, variables = _text(message)
        for reader in readers:
            self._letters.letter(reader, str(message.get("subject") or ""), template, variables)


def _addresses(value: Any) -> list[str]:
    values = value if isinstance(value, list) else str(value or "").split(",")
    return [str(entry).strip() for entry in values if str(entry).strip()]


def _text(message: Mapping[str, Any]) -> tuple[str, dict[str, object]]:
    """Template and variables of a message by its type: markdown, wysiwyg or template."""
    body = message.get("body")
    if message.get("type") == "template":
        data = message.get("data")
        return str(message.get("template") or "base"), dict(data) if isinstance(data, Mapping) else {}
    text = body if isinstance(body, str) else ""
    html = text if message.get("type") == "wysiwyg" else nh3.clean(MarkdownIt().render(text))
    return "base", {"html": Markup(html)}
