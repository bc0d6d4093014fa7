"""A served database with its followers, and a receiver that does what a test tells it to."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg
import pytest
from aiohttp import web
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.http import Client, client
from tests.support.server import Server, free_port, running_server
from tests.support.waiting import until

SCHEMA = """
create table notes (id serial primary key, title text, num int);
create table parts (id serial primary key, note int references notes on delete cascade, name text);
create table tags (id text primary key, label text);
"""
SETTINGS = {
    # Receivers of tests stand on this machine.
    "IMPORT_IP_DENY_LIST": "10.0.0.0/8",
    "METRICS_ENABLED": "true",
    "WEBHOOKS_TIMEOUT": "3",
    "WEBHOOKS_FIRST_RETRY": "0.2",
    "WEBHOOKS_ATTEMPTS": "4",
}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Got:
    """One request that came in."""

    path: str
    method: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


Answering = Callable[[web.Request], "web.StreamResponse | None"]


@dataclass
class Receiver:
    """A server for webhooks; ``answers`` say what becomes of requests to a path, the last one of all more."""

    url: str
    got: list[Got] = field(default_factory=list)
    answers: dict[str, list[Any]] = field(default_factory=dict)

    def to(self, path: str) -> list[Got]:
        return [entry for entry in self.got if entry.path == path]

    async def has(self, path: str, count: int, seconds: float = 60) -> list[Got]:
        async def done() -> bool:
            return len(self.to(path)) >= count

        await until(done, seconds)
        return self.to(path)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Got(request.path, request.method, headers, body))
        waiting = self.answers.get(request.path, [])
        answer = waiting[0] if len(waiting) == 1 else waiting.pop(0) if waiting else 200
        if callable(answer):
            found: web.StreamResponse = await answer(request)
            return found
        return web.Response(status=answer, text="so it is")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver("")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    found.url = f"http://127.0.0.1:{port}"
    try:
        yield found
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
def served_url(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"acta_webhooks_{os.getpid()}_{request.module.__name__.rpartition('.')[2]}"
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
def server(served_url: str) -> Iterator[Server]:
    with running_server(served_url, extra=SETTINGS) as running:
        yield running


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Client]:
    """The administrator; what a test made of webhooks is gone afterwards."""
    async with client(server) as found:
        yield found
        keys = [entry["id"] for entry in (await found.get("/webhooks", limit=-1)).data]
        if keys:
            await found.delete("/webhooks", keys)


async def make(api: Client, url: str, **more: Any) -> int:
    """A webhook that hears of all that happens to notes."""
    values = {"name": "test", "url": url, "actions": ["create", "update", "delete"], "collections": ["notes"]}
    made = await api.post("/webhooks", {**values, **more})
    number: int = made.data["id"]
    return number


async def deliveries(api: Client, webhook: int, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get(f"/webhooks/{webhook}/deliveries", **query)).data
    return found


async def settled(api: Client, webhook: int, count: int, status: str, seconds: float = 60) -> list[Any]:
    """Wait until so many deliveries have a status."""
    found: list[Any] = []

    async def done() -> bool:
        nonlocal found
        found = await deliveries(api, webhook, status=status)
        return len(found) >= count

    await until(done, seconds)
    return found


async def hanging(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()
