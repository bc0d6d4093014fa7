"""A client for files: forms, bytes with their headers, images made on the spot."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from multidict import CIMultiDict
from PIL import Image

from tests.support.http import Answer, Client
from tests.support.server import ADMIN_TOKEN, Server


@dataclass(frozen=True)
class Part:
    """One part of a form: a text, or a file when it has a filename."""

    name: str
    value: bytes | str
    filename: str | None = None
    type: str | None = None


BOUNDARY = "----a-boundary"


def form(parts: Sequence[Part]) -> bytes:
    """A multipart body, names exactly as given."""
    body = bytearray()
    for part in parts:
        name = "" if part.filename is None else f'; filename="{part.filename}"'
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part.name}"{name}\r\n'.encode()
        if part.type:
            body += f"Content-Type: {part.type}\r\n".encode()
        value = part.value.encode() if isinstance(part.value, str) else part.value
        body += b"\r\n" + value + b"\r\n"
    return bytes(body) + f"--{BOUNDARY}--\r\n".encode()


class Files(Client):
    """A client that also sends forms and receives bytes."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        super().__init__(session, url)
        self.session = session
        self.url = url

    async def send(self, method: str, path: str, parts: Sequence[Part], **query: str) -> Answer:
        """A form."""
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        body = io.BytesIO(form(parts))
        async with self.session.request(
            method, self.url + path, data=body, params=query, headers=headers
        ) as response:
            raw = await response.read()
            return Answer(response.status, dict(response.headers), orjson.loads(raw) if raw else None)

    async def upload(
        self, content: bytes, filename: str, media_type: str = "application/octet-stream", **fields: str
    ) -> dict[str, Any]:
        """One file; its record."""
        parts = [Part(name, value) for name, value in fields.items()]
        answer = await self.send("POST", "/files", [*parts, Part("file", content, filename, media_type)])
        record: dict[str, Any] = answer.data
        return record

    async def fetch(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None
    ) -> tuple[int, CIMultiDict[str], bytes]:
        """Status, headers and bytes."""
        async with self.session.request(method, self.url + path, headers=headers) as response:
            return response.status, CIMultiDict(response.headers), await response.read()


@asynccontextmanager
async def files(server: Server, token: str | None = ADMIN_TOKEN) -> AsyncIterator[Files]:
    """A client with a static token; None for anonymous."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield Files(session, server.url)


def picture(width: int, height: int, form: str = "JPEG", **options: Any) -> bytes:
    """A picture with a gradient, so that every place has a colour of its own."""
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    image = Image.merge("RGB", (across, down, Image.new("L", (width, height), 90)))
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def opened(content: bytes) -> Image.Image:
    """An image from its bytes, decoded."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image
