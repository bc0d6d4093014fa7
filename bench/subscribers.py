"""Subscribers of one process: many that hear nothing, a few that hear of every change, and how late they do.

A delivery begins when the request that writes is sent, and ends with the frame at the subscriber.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psycopg

from bench.client import ADMIN_TOKEN
from bench.databases import Databases
from bench.servers import acta_server

TABLES = """
    create table notes (id serial primary key, title text);
    create table quiet (id serial primary key, title text);
"""
AT_ONCE = 50
PROTOCOL = "graphql-transport-ws"


@dataclass
class Deliveries:
    """When each change was sent, and how late each subscriber heard of it, in seconds."""

    sent: dict[str, float] = field(default_factory=dict)
    late: list[float] = field(default_factory=list)
    wanted: int | None = None
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    def heard(self, title: str) -> None:
        """A subscriber has a frame."""
        self.late.append(time.perf_counter() - self.sent[title])
        self.look()

    def look(self) -> None:
        """Tell whether all that are wanted are there."""
        if len(self.late) == self.wanted:
            self.complete.set()


async def measure(
    postgres: str, work: Path, idle: int, active: int, events: int, seconds: float, say: Callable[[str], None]
) -> Deliveries:
    """Connect all, write so many items a second, and see when the active ones hear of each.

    Raises:
        TimeoutError: when a frame is missing.
    """
    databases = Databases(postgres)
    databases.empty("subscribers")
    with psycopg.connect(databases.url("subscribers")) as connection:
        connection.execute(TABLES)
    server = acta_server(databases.url("subscribers"), work)
    server.environment["WEBSOCKETS_ENABLED"] = "true"
    server.first = "/server/ping"
    say("acta: starting")
    server.start()
    found = Deliveries()
    try:
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(limit=0),
                    headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
                )
            )
            before = server.memory()
            for first in range(0, idle, AT_ONCE):
                count = min(AT_ONCE, idle - first)
                joining = (_subscribed(session, server.url, "quiet") for _ in range(count))
                for socket in await asyncio.gather(*joining):
                    stack.push_async_callback(socket.close)
            say(f"{idle} idle subscribers cost {server.memory() - before:.0f} MB")
            listening = []
            for _ in range(active):
                socket = await _subscribed(session, server.url, "notes")
                listening.append(asyncio.create_task(_listen(socket, found)))
            written = await _write(session, server.url, events, seconds, found)
            found.wanted = written * active
            found.look()
            async with asyncio.timeout(30):
                await found.complete.wait()
            for task in listening:
                task.cancel()
    finally:
        server.stop()
    return found


async def _subscribed(session: aiohttp.ClientSession, url: str, collection: str) -> Any:
    """A socket with a subscription in place."""
    socket = await session.ws_connect(f"{url}/graphql", protocols=[PROTOCOL], heartbeat=None)
    await socket.send_json({"type": "connection_init", "payload": {"access_token": ADMIN_TOKEN}})
    assert (await socket.receive_json())["type"] == "connection_ack"
    query = f"subscription {{ {collection}_mutated {{ key event data {{ id title }} }} }}"
    await socket.send_json({"type": "subscribe", "id": "1", "payload": {"query": query}})
    await socket.send_json({"type": "ping"})
    assert (await socket.receive_json())["type"] == "pong"
    return socket


async def _listen(socket: aiohttp.ClientWebSocketResponse, found: Deliveries) -> None:
    async for message in socket:
        frame = json.loads(message.data)
        found.heard(frame["payload"]["data"]["notes_mutated"]["data"]["title"])


async def _write(
    session: aiohttp.ClientSession, url: str, events: int, seconds: float, found: Deliveries
) -> int:
    """Write at a steady pace, whatever the answers take; the number of items written."""
    began, writing = time.perf_counter(), []
    for number in itertools.count():
        due = began + number / events
        if due > began + seconds:
            break
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        writing.append(asyncio.create_task(_create(session, url, f"note {number}", found)))
    await asyncio.gather(*writing)
    return len(writing)


async def _create(session: aiohttp.ClientSession, url: str, title: str, found: Deliveries) -> None:
    found.sent[title] = time.perf_counter()
    async with session.post(f"{url}/items/notes", json={"title": title}) as answer:
        assert answer.status == 200, await answer.text()
