"""The beginning and the end of a process are told to hooks and flows, however a hook behaves."""

import asyncio
from typing import Any

import psycopg
from psycopg import sql

from tests.extensions.conftest import SCHEMA
from tests.flows.conftest import Steps, make_flow
from tests.support.http import client
from tests.support.server import start

EVENTS = ("server.start", "extensions.load", "server.stop")


def told(url: str, table: str) -> dict[str, list[Any]]:
    """By event what hooks (`hints`) or flows (`echoes`) were told."""
    found: dict[str, list[Any]] = {event: [] for event in EVENTS}
    query = sql.SQL("select data from {} where data ->> 'event' = any(%s)").format(sql.Identifier(table))
    with psycopg.connect(url) as connection:
        for (data,) in connection.execute(query, [list(EVENTS)]):
            found[data["event"]].append(data)
    return found


async def test_start_load_and_stop(database_url: str, settings: dict[str, str]) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(SCHEMA)
    server = start(database_url, extra=settings)
    try:
        async with client(server) as api:
            # It is not waited for without end.
            steps: Steps = [
                ("x", "item-create", {"collection": "echoes", "payload": {"data": "{{ $trigger }}"}}),
                ("y", "sleep", {"milliseconds": 600_000}),
            ]
            options = {"type": "action", "scope": list(EVENTS)}
            await make_flow(api, steps, trigger="event", options=options)
            listed = (await api.get("/extensions")).data
            # What begins is told in the background.
            async with asyncio.timeout(60):
                while not told(database_url, "hints")["extensions.load"]:
                    await asyncio.sleep(0.05)
        assert server.stop() == 0
        hooks = told(database_url, "hints")
        assert {event: len(found) for event, found in hooks.items()} == dict.fromkeys(EVENTS, 1)
        assert hooks["extensions.load"][0]["extensions"] == listed
        assert ("hook", "rude") in {(one["schema"]["type"], one["schema"]["name"]) for one in listed}
        flows = told(database_url, "echoes")
        assert flows == {"server.start": [], "extensions.load": [], "server.stop": [{"event": "server.stop"}]}
        server = start(database_url, extra=settings)
        async with asyncio.timeout(60):
            while not told(database_url, "echoes")["extensions.load"]:
                await asyncio.sleep(0.05)
        assert told(database_url, "echoes")["extensions.load"][0]["extensions"] == listed
    finally:
        server.kill()
