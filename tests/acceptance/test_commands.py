"""Random commands of eight clients at once, some on the same rows: the log still folds to the tables."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.http import Client, client
from tests.support.server import Server, acta, running_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CLIENTS = 8
KEYS = st.integers(1, 6)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "title": st.none() | TEXTS,
        "amount": st.none() | st.decimals(-999, 999, places=3).map(str),
        "at": st.datetimes().map(lambda at: at.replace(microsecond=0).isoformat()),
        "tags": st.lists(TEXTS, max_size=3),
        "parent": st.none() | KEYS,
    },
)
COMMANDS = st.one_of(
    st.tuples(st.just("create"), ITEMS),
    st.tuples(st.just("create_with_key"), KEYS, ITEMS),
    st.tuples(st.just("create_many"), st.lists(ITEMS, max_size=4)),
    st.tuples(st.just("update"), KEYS, ITEMS),
    st.tuples(st.just("update_many"), st.lists(KEYS, max_size=4), ITEMS),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("nested"), KEYS, st.lists(ITEMS, max_size=3)),
)
TABLES = """
CREATE TABLE thing (
    id serial PRIMARY KEY, title varchar(10), amount numeric(6, 2), at timestamptz DEFAULT now(), tags json,
    parent int REFERENCES thing ON DELETE SET NULL, doubled numeric GENERATED ALWAYS AS (amount * 2) STORED
);
CREATE TABLE part (id serial PRIMARY KEY, title text, thing int REFERENCES thing ON DELETE CASCADE);
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN IF NEW.title LIKE ''a%'' THEN NEW.title = upper(NEW.title); END IF; RETURN NEW; END';
CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON part FOR EACH ROW EXECUTE FUNCTION shout();
"""
ALIAS = {"field": "parts", "type": "alias", "meta": {"special": ["o2m"]}}
RELATION = {
    "collection": "part",
    "field": "thing",
    "related_collection": "thing",
    "meta": {"one_field": "parts"},
}


async def send(api: Client, command: tuple[Any, ...]) -> None:
    """Perform one command; anything but success or a refusal is a failure of the server."""
    match command:
        case ("create", item):
            answer = await api.post("/items/thing", item)
        case ("create_with_key", key, item):
            answer = await api.post("/items/thing", {"id": key, **item})
        case ("create_many", items):
            answer = await api.post("/items/thing", items)
        case ("update", key, item):
            answer = await api.patch(f"/items/thing/{key}", item)
        case ("update_many", keys, item):
            answer = await api.patch("/items/thing", {"keys": keys, "data": item})
        case ("delete", key):
            answer = await api.delete(f"/items/thing/{key}")
        case (_, key, items):
            parts = [{"title": item.get("title")} for item in items]
            answer = await api.patch(f"/items/thing/{key}", {"parts": parts})
    assert answer.status < 500, (command, answer.body)


async def play(server: Server, scripts: list[list[tuple[Any, ...]]]) -> None:
    async def run(script: list[tuple[Any, ...]]) -> None:
        async with client(server) as api:
            for command in script:
                await send(api, command)

    await asyncio.gather(*(run(script) for script in scripts))


async def register(server: Server) -> None:
    async with client(server) as api:
        relation = await api.post("/relations", RELATION)
        if relation.status != 200:
            patched = await api.patch(
                "/relations/part/thing", {**RELATION, "schema": {"on_delete": "CASCADE"}}
            )
            assert patched.status == 200, patched.body
        assert (await api.post("/fields/thing", ALIAS)).status == 200


def test_random_commands(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(TABLES)
    with running_server(database_url) as server:
        asyncio.run(register(server))

        @settings(
            max_examples=12,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(st.lists(st.lists(COMMANDS, min_size=2, max_size=6), min_size=CLIENTS, max_size=CLIENTS))
        def example(scripts: list[list[tuple[Any, ...]]]) -> None:
            asyncio.run(play(server, scripts))
            done = acta(database_url, "rebuild", "--check")
            assert done.returncode == 0, done.stdout + done.stderr

        example()
    assert acta(database_url, "verify").returncode == 0
