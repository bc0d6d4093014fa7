"""The schema is changed by many at once through two servers, one of which is killed again and again.

Whatever was cut off happened whole or not at all: tables, metadata and log tell the same.

`ACTA_SCHEMA_KILLS=50 .ci/test tests/acceptance/test_schema_crash.py` is a long run.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from typing import Any

import aiohttp
import psycopg
import pytest

from tests.support.http import Answer, Client, client
from tests.support.server import acta, free_port, running_server, start

KILLS = int(os.environ.get("ACTA_SCHEMA_KILLS", "2"))
CLIENTS, COLLECTIONS, FIELDS = 6, 5, 4
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + 30 * KILLS)]

CUT_OFF = (aiohttp.ClientError, TimeoutError, OSError)
Columns = dict[str, set[str]]


async def test_kill_in_the_middle_of_changes(database_url: str) -> None:
    port, seen = free_port(), Counter[int]()
    with running_server(database_url, "--no-followers") as lasting:
        async with client(lasting) as other:
            for _ in range(KILLS):
                killed = start(database_url, "--no-followers", port=port)
                async with client(killed) as api:
                    doors = [api, other] * (CLIENTS // 2)
                    work = [asyncio.create_task(change(door, api, seen)) for door in doors]
                    await asyncio.sleep(random.uniform(0.5, 1.5))
                    await asyncio.to_thread(killed.kill)
                    for task in work[1::2]:
                        task.cancel()
                    outcomes = await asyncio.gather(*work, return_exceptions=True)
                    assert [one for one in outcomes if isinstance(one, Exception)] == []
            # The dead hold no lock, and what lives has heard of everything.
            answer = await other.post("/collections", {"collection": "last", "schema": {}, "meta": {}})
            assert answer.status == 200, answer.body
            lasting_view = await view(other)
        with running_server(database_url, "--no-followers") as fresh:
            async with client(fresh) as api:
                assert await view(api) == lasting_view
    assert seen[200] > KILLS
    assert seen.keys() <= {200, 204, 400, 403, 503}, seen
    compare(database_url)
    for command in (("rebuild", "--check"), ("verify",)):
        done = acta(database_url, *command)
        assert done.returncode == 0, done.stdout + done.stderr


async def change(door: Client, mortal: Client, seen: Counter[int]) -> None:
    """One change of the schema after another, until the server is gone."""
    while True:
        try:
            seen[(await one_change(door)).status] += 1
        except CUT_OFF:
            assert door is mortal
            return


async def one_change(door: Client) -> Answer:
    name = f"k{random.randrange(COLLECTIONS)}"
    other = f"k{random.randrange(COLLECTIONS)}"
    field = f"f{random.randrange(FIELDS)}"
    body: dict[str, Any] = {"field": field, "type": "string", "schema": {"is_indexed": True}, "meta": {}}
    related = {"collection": name, "field": "r", "related_collection": other, "meta": {"one_field": field}}
    pointer = {"field": "r", "type": "integer", "schema": {}, "meta": {}}
    kind = random.choice([{"type": "text"}, {"type": "string"}])
    made = {"collection": name, "schema": {}, "meta": {}, "fields": [body, pointer]}
    match random.randrange(10):
        case 0 | 1 | 2:
            return await door.post("/collections", made)
        case 3:
            return await door.post(f"/fields/{name}", body)
        case 4:
            return await door.patch(
                f"/fields/{name}/{field}", {**kind, "schema": {}, "meta": {"note": other}}
            )
        case 5:
            return await door.delete(f"/fields/{name}/{field}")
        case 6:
            return await door.post("/relations", related)
        case 7:
            return await door.post("/schema/rename", {"collection": name, "name": other})
        case 8:
            return await door.post(
                "/schema/rename", {"collection": name, "field": field, "name": f"{field}r"}
            )
        case _:
            return await door.delete(f"/collections/{name}")


async def view(door: Client) -> list[Any]:
    await door.post("/utils/cache/clear", None)
    return [
        (await door.get(path)).data for path in ("/collections", "/fields", "/relations", "/schema/snapshot")
    ]


def compare(database_url: str) -> None:
    """Tables, metadata and the log, each told in its own way, are the same."""
    with psycopg.connect(database_url) as connection:
        tables: Columns = {}
        for table, column in connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        ):
            tables.setdefault(table, set()).add(column)
        tracked = {name for (name,) in connection.execute("SELECT collection FROM acta.directus_collections")}
        invalid = connection.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone()
        events = connection.execute(
            "SELECT topic, collection, payload FROM acta.events"
            " WHERE topic ~ '^(collection|field)\\.' ORDER BY seq"
        ).fetchall()
    told: Columns = {}
    for topic, collection, payload in events:
        match topic:
            case "collection.created":
                told[collection] = {column["name"] for column in payload["new"]["ddl"]["columns"]}
            case "collection.deleted":
                del told[collection]
            case "collection.renamed":
                told[payload["name"]] = told.pop(collection)
            case "field.created" if payload["new"]["ddl"]:
                told[collection].add(payload["field"])
            case "field.deleted":
                told[collection].discard(payload["field"])
            case "field.renamed":
                told[collection].remove(payload["field"])
                told[collection].add(payload["name"])
    assert told == tables
    assert tracked == tables.keys()
    assert invalid == (0,)
