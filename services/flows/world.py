"""The world outside as flows see it: other servers through the guarded client, and mail."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import orjson
from aiohttp import ClientResponse
from multidict import CIMultiDict

from domain.errors import InvalidPayload
from domain.flows.outside import Answer
from domain.flows.outside import Unreachable as NoAnswer
from services.mail.limits import MailLimits
from services.mail.markdown import rendered
from services.mail.templates import as_html
from services.web.guarded import GuardedClient, Unreachable

SECONDS: Final = 60.0
LARGEST: Final = 16 * 1024 * 1024


class Letters(Protocol):
    """Takes letters and sends them some time: at once, or when the transaction they are part of is over."""

    @property
    def limits(self) -> MailLimits:
        """How many are sent."""

    async def take(self, to: str, subject: str, template: str, variables: Mapping[str, object]) -> bool:
        """Send one, if there is a place for it."""


class World:
    """HTTP through a guarded client, mail through whoever carries letters."""

    def __init__(self, client: GuardedClient, letters: Letters) -> None:
        self._client = client
        self._letters = letters

    async def request(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes | None
    ) -> Answer:
        """Ask another server. Raises `domain.flows.outside.Unreachable`."""
        try:
            async with (
                asyncio.timeout(SECONDS),
                self._client.request(method, url, headers=CIMultiDict(headers), data=body) as response,
            ):
                return await _answer(response)
        except TimeoutError:
            raise NoAnswer(f"no answer within {SECONDS:g} seconds") from None
        except Unreachable as error:
            raise NoAnswer(str(error)) from error

    async def mail(self, message: Mapping[str, Any], flow: str) -> None:
        """Write a letter of a flow to everybody who is named.

        Raises:
            InvalidPayload: when nobody is.
            EmailLimitExceeded
        """
        readers = [reader for name in ("to", "cc", "bcc") for reader in _addresses(message.get(name))]
        if not readers:
            raise InvalidPayload('"to" is required')
        template, variables = _text(message)
        await self._letters.limits.flow(flow)
        for reader in readers:
            if not await self._letters.take(reader, str(message.get("subject") or ""), template, variables):
                raise self._letters.limits.full()


async def _answer(response: ClientResponse) -> Answer:
    raw = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        raw += chunk
        if len(raw) > LARGEST:
            raise Unreachable("the answer is too large")
    data: Any = raw.decode("utf-8", "replace")
    if "json" in response.headers.get("Content-Type", ""):
        with contextlib.suppress(orjson.JSONDecodeError):
            data = orjson.loads(raw)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, response.reason or "", headers, data)


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
    return "base", {"html": as_html(text) if message.get("type") == "wysiwyg" else rendered(text)}
