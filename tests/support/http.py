"""A small client for tests: JSON in, status and JSON out, as the administrator unless told otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from tests.support.server import ADMIN_TOKEN, Server


@dataclass(frozen=True)
class Answer:
    """Status, headers and the parsed body (None without one)."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def data(self) -> Any:
        """The `data` member. Raises AssertionError when the request failed."""
        assert self.status < 300, self.body
        return self.body["data"] if self.body else None

    @property
    def error(self) -> dict[str, Any]:
        """The extensions of the first error. Raises AssertionError when there is none."""
        assert self.status >= 400, self.body
        extensions: dict[str, Any] = self.body["errors"][0]["extensions"]
        return extensions


class Client:
    """Requests to one server over pooled connections."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """One exchange; values of `query` that are not text are sent as JSON."""
        sent = dict(headers or {})
        if content is None and body is not None:
            content = orjson.dumps(body)
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        texts = {
            name: value if isinstance(value, str) else orjson.dumps(value).decode()
            for name, value in (query or {}).items()
        }
        async with self._session.request(
            method, self._url + path, data=content, params=texts, headers=sent
        ) as response:
            raw = await response.read()
            parsed = (
                orjson.loads(raw)
                if raw and "json" in response.headers.get("Content-Type", "")
                else raw or None
            )
            return Answer(response.status, dict(response.headers), parsed)

    async def get(self, path: str, **query: Any) -> Answer:
        """GET with query parameters."""
        return await self.request("GET", path, query=query)

    async def post(self, path: str, body: Any) -> Answer:
        """POST of a JSON body."""
        return await self.request("POST", path, body)

    async def patch(self, path: str, body: Any) -> Answer:
        """PATCH with a JSON body."""
        return await self.request("PATCH", path, body)

    async def delete(self, path: str, body: Any = None) -> Answer:
        """DELETE, with a JSON body where given."""
        return await self.request("DELETE", path, body)


@asynccontextmanager
async def client(server: Server, token: str | None = ADMIN_TOKEN) -> AsyncIterator[Client]:
    """A client with a static token; None for anonymous."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield Client(session, server.url)
