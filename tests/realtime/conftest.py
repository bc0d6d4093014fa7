"""A served database with its followers and sockets, and clients of the sockets."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.http import Client, client
from tests.support.server import ADMIN_TOKEN, Server, running_server

SCHEMA = """
create table notes (id serial primary key, title text, owner text);
create table tags (id text primary key, label text);
"""
SETTINGS = {"WEBSOCKETS_ENABLED": "true"}


@pytest.fixture(scope="module")
def served_url(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"acta_realtime_{os.getpid()}_{request.module.__name__.rpartition('.')[2]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        url = make_conninfo(postgres_url, dbname=name)
        with psycopg.connect(url) as own:
            own.execute(SCHEMA)
        try:
            yield url
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def server(served_url: str, request: pytest.FixtureRequest) -> Iterator[Server]:
    extra = {**SETTINGS, **getattr(request.module, "EXTRA", {})}
    with running_server(served_url, extra=extra) as running:
        yield running


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Client]:
    """The administrator over HTTP."""
    async with client(server) as found:
        yield found


class Socket:
    """A socket whose frames are awaited one by one."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.close_code: int | None = None

    async def send(self, **message: Any) -> None:
        """Send a message."""
        await self.socket.send_json(message)

    async def frame(self, seconds: float = 20) -> Any:
        """The next frame; None when the server has closed."""
        received = await self.socket.receive(timeout=seconds)
        if received.type is aiohttp.WSMsgType.TEXT:
            return received.json()
        self.close_code = received.data
        assert received.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING)
        return None

    async def ask(self, **message: Any) -> Any:
        """Send a message and give the next frame."""
        await self.send(**message)
        return await self.frame()

    async def silent(self, seconds: float = 0.4) -> bool:
        """Whether nothing comes for a while."""
        try:
            await self.socket.receive(timeout=seconds)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def opened(server: Server, path: str = "/websocket") -> AsyncIterator[Socket]:
    """A socket nobody signed in to."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.url + path) as socket:
        yield Socket(socket)


@asynccontextmanager
async def signed_in(server: Server, token: str = ADMIN_TOKEN) -> AsyncIterator[Socket]:
    """A socket signed in by its first message."""
    async with opened(server) as socket:
        assert await socket.ask(type="auth", access_token=token) == {"type": "auth", "status": "ok"}
        yield socket


@pytest.fixture
async def admin(server: Server) -> AsyncIterator[Socket]:
    async with signed_in(server) as socket:
        yield socket


async def refused(server: Server, path: str, **headers: str) -> int:
    """The status with which an upgrade is refused."""
    async with aiohttp.ClientSession(headers=headers) as session:
        try:
            async with asyncio.timeout(30), session.ws_connect(server.url + path):
                raise AssertionError("the upgrade was taken")
        except aiohttp.WSServerHandshakeError as error:
            return error.status
