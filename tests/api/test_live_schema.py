"""The model changes while others work: two servers on one database, as in any larger installation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest

from tests.support.http import Answer, Client, client
from tests.support.server import Server, running_server

CLIENTS, COLLECTIONS = 8, 200
HEARD_SECONDS = 0.4
"""A server that is not told looks once a second."""


@pytest.fixture(scope="module")
def second(served_url: str, server: Server) -> Iterator[Server]:
    with running_server(served_url, "--no-followers") as running:
        yield running


@pytest.fixture
async def other(second: Server) -> AsyncIterator[Client]:
    async with client(second) as found:
        yield found


def collection(name: str) -> dict[str, Any]:
    return {"collection": name, "schema": {}, "meta": {}, "fields": [{"field": "a", "type": "string"}]}


async def test_others_hear_of_a_change_at_once(api: Client, other: Client) -> None:
    async def heard(number: int) -> float:
        field = {"field": f"f{number}", "type": "integer", "schema": {"default_value": number}, "meta": {}}
        assert (await api.post("/fields/notes", field)).status == 200
        began = time.perf_counter()
        while True:
            asked = time.perf_counter()
            if (await other.get("/items/notes/1", fields=f"f{number}")).status == 200:
                return asked - began
            assert asked - began < 10

    waited = [await heard(number) for number in range(5)]
    assert sorted(waited)[2] < HEARD_SECONDS, waited


async def test_many_collections_by_many_clients(api: Client, other: Client, served_url: str) -> None:
    async def make(number: int) -> list[Answer]:
        mine = range(number, COLLECTIONS, CLIENTS)
        door = (api, other)[number % 2]
        return [await door.post("/collections", collection(f"live_{each}")) for each in mine]

    answers = [answer for made in await asyncio.gather(*map(make, range(CLIENTS))) for answer in made]
    assert [answer.body for answer in answers if answer.status != 200] == []
    names = {f"live_{each}" for each in range(COLLECTIONS)}
    for door in (api, other):
        for _ in range(300):
            missing = names - {row["collection"] for row in (await door.get("/collections")).data}
            if not missing:
                break
            await asyncio.sleep(HEARD_SECONDS)
        assert not missing
        assert (await door.post(f"/items/live_{COLLECTIONS - 1}", {"a": "x"})).status == 200
    with psycopg.connect(served_url) as connection:
        told = connection.execute(
            "select count(*) from acta.events where topic = 'collection.created' and item like 'live_%'"
        )
        assert told.fetchone() == (COLLECTIONS,)


async def test_two_identical_requests_at_once(api: Client, other: Client) -> None:
    field = {"field": "same", "type": "string", "meta": {}}
    relation = {"collection": "twins", "field": "other", "related_collection": "twins"}
    both = (api, other)
    made = await asyncio.gather(*(door.post("/collections", collection("twins")) for door in both))
    fields = await asyncio.gather(*(door.post("/fields/twins", field) for door in both))
    assert (await api.post("/fields/twins", {"field": "other", "type": "integer", "meta": {}})).status == 200
    relations = await asyncio.gather(*(door.post("/relations", relation) for door in both))
    dropped = await asyncio.gather(*(door.delete("/collections/twins") for door in both))
    assert [sorted(answer.status for answer in each) for each in (made, fields, relations)] == [
        [200, 400]
    ] * 3
    assert sorted(answer.status for answer in dropped) == [204, 403]


async def test_a_table_that_is_read_is_left_alone(api: Client, other: Client, served_url: str) -> None:
    def state(connection: psycopg.Connection) -> Any:
        return connection.execute("select count(*), max(seq) from acta.events").fetchone()

    body = {"field": "late", "type": "string", "schema": {"default_value": "x"}, "meta": {}}
    fields = (await api.get("/fields/tags")).data
    with psycopg.connect(served_url) as reading, psycopg.connect(served_url, autocommit=True) as looking:
        before = state(looking)
        reading.execute("select count(*) from tags")
        refused = await asyncio.gather(
            api.post("/fields/tags", body), other.delete("/collections/tags"), api.get("/items/tags")
        )
        assert [answer.status for answer in refused] == [503, 503, 200]
        for answer in refused[:2]:
            assert answer.error["code"] == "SERVICE_UNAVAILABLE"
            assert int(answer.headers["Retry-After"]) > 0
        assert state(looking) == before
    for door in (api, other):
        assert (await door.get("/fields/tags")).data == fields
    assert (await api.post("/fields/tags", body)).status == 200


GATED = """
    create table gated (id serial primary key, words text);
    insert into gated (words) values ('a,b');
    create function wait_at_gate() returns text language plpgsql volatile as
        $$ begin perform pg_advisory_xact_lock_shared(77); return 'passed'; end $$;
    create function wait_for_new() returns trigger language plpgsql as
        $$ begin perform public.wait_at_gate(); return new; end $$;
    create trigger gate before insert on gated for each row execute function wait_for_new();
    create view slowly as select id, words, public.wait_at_gate() as gate from gated;
"""
WAITING = "select count(*) from pg_locks where locktype = 'advisory' and objid = 77 and not granted"


async def test_requests_in_flight_finish_on_the_model_they_began_with(
    api: Client, other: Client, served_url: str
) -> None:
    with psycopg.connect(served_url, autocommit=True) as gate:
        gate.execute(GATED)
        assert (await api.post("/utils/cache/clear", None)).status == 200
        for name in ("gated", "slowly"):
            while (await api.get(f"/fields/{name}/words")).status != 200:
                await asyncio.sleep(HEARD_SECONDS)
        gate.execute("select pg_advisory_lock(77)")
        reading = asyncio.create_task(api.get("/items/slowly"))
        writing = asyncio.create_task(api.post("/items/gated", {"words": "c,d"}))
        while gate.execute(WAITING).fetchone() != (2,):
            assert not reading.done(), reading
            assert not writing.done(), writing
            await asyncio.sleep(0.01)
        for name in ("gated", "slowly"):
            changed = await other.patch(f"/fields/{name}/words", {"meta": {"special": ["cast-csv"]}})
            assert changed.data["type"] == "csv"
        while (await api.get("/fields/gated/words")).data["type"] != "csv":
            await asyncio.sleep(0.01)
        assert (await api.get("/items/gated/1")).data["words"] == ["a", "b"]
        assert not reading.done()
        assert not writing.done()
        gate.execute("select pg_advisory_unlock(77)")
    assert (await reading).data == [{"id": 1, "words": "a,b", "gate": "passed"}]
    assert (await writing).data["words"] == "c,d"
    assert [row["words"] for row in (await api.get("/items/slowly")).data] == [["a", "b"], ["c", "d"]]
