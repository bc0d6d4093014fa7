"""A served database with its followers, in which flows are made and set off."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.http import Client, client
from tests.support.server import Server, running_server

SCHEMA = """
create table notes (id serial primary key, title text, num int);
create table said (id serial primary key, text text, data jsonb);
"""
SETTINGS = {
    "FLOWS_RUN_SCRIPT_TIMEOUT": "3000",
    "FLOWS_ENV_ALLOW_LIST": "GREETING",
    "GREETING": "hello",
    "RATE_LIMITER_EMAIL_FLOWS_ENABLED": "true",
    "RATE_LIMITER_EMAIL_FLOWS_POINTS": "2",
    "IMPORT_IP_DENY_LIST": "10.0.0.0/8",
}


@pytest.fixture(scope="module")
def served_url(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"acta_flows_{os.getpid()}_{request.module.__name__.rpartition('.')[2]}"
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
    """The administrator."""
    async with client(server) as found:
        yield found


Steps = list[tuple[str, str, dict[str, Any]]]


async def make_flow(api: Client, steps: Steps, links: dict[str, str] | None = None, **flow: Any) -> str:
    """A flow whose steps (key, type, options) follow each other; ``links`` are reject links by key."""
    options = flow.pop("options", {})
    values = {"name": "test", "status": "active", "trigger": "webhook", "accountability": "all", **flow}
    made = await api.post("/flows", {**values, "options": options})
    key: str = made.data["id"]
    ids = {name: str(uuid4()) for name, _, _ in steps}
    following = dict(zip([name for name, _, _ in steps], [name for name, _, _ in steps[1:]], strict=False))
    rejecting = links or {}
    chained = {name: after for name, after in following.items() if after not in rejecting.values()}
    for name, kind, step in reversed(steps):
        operation = {"id": ids[name], "flow": key, "key": name, "name": name, "type": kind, "options": step}
        place = {"position_x": 1, "position_y": 1}
        path = {"resolve": ids.get(chained.get(name, ""))}
        await api.post("/operations", {**operation, **place, **path})
    for name, after in rejecting.items():
        await api.patch(f"/operations/{ids[name]}", {"reject": ids[after]})
    changed = await api.patch(f"/flows/{key}", {"operation": ids[steps[0][0]]})
    assert changed.status == 200, changed.body
    return key


async def said(api: Client, text: str, count: int, seconds: float = 45) -> list[Any]:
    """Wait until something was said so often."""
    found: list[Any] = []
    for _ in range(int(seconds * 20)):
        found = (await api.get("/items/said", filter={"text": text}, sort="id", limit=-1)).data
        if len(found) >= count:
            break
        await asyncio.sleep(0.05)
    assert len(found) == count
    return found
