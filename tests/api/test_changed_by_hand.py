"""The database is changed by hand, past a server that is running: it follows, and nothing fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from tests.support.http import Answer, Client
from tests.support.server import Server

Hand = Callable[[str], None]


@pytest.fixture
def hand(served_url: str, server: Server) -> Hand:
    """Runs SQL as somebody with psql does."""

    def run(statements: str) -> None:
        with psycopg.connect(served_url, autocommit=True) as connection:
            connection.execute(statements.encode())

    return run


async def until(ask: Callable[[], Any], wanted: Callable[[Answer], bool]) -> Answer:
    for _ in range(900):
        answer: Answer = await ask()
        if wanted(answer):
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError(answer)


async def test_what_comes_is_there_without_being_told(api: Client, hand: Hand) -> None:
    hand("create table fresh (id serial primary key, a text); insert into fresh (a) values ('x')")
    assert (await api.get("/collections/fresh")).data["meta"] is None
    assert (await api.get("/items/fresh")).data == [{"id": 1, "a": "x"}]
    # Nobody asks for the list of collections from here on.
    hand("alter table fresh add b integer default 7; create table later (id serial primary key)")
    await until(lambda: api.get("/items/fresh", fields="b"), lambda answer: answer.status == 200)
    assert (await api.get("/fields/fresh/b")).data["schema"]["default_value"] == 7
    assert (await api.get("/items/later")).data == []
    hand("alter table later add fresh integer references fresh, add unique (fresh)")
    await until(
        lambda: api.get("/relations/later"), lambda answer: bool(answer.status == 200 and answer.data)
    )
    assert (await api.get("/fields/later/fresh")).data["schema"]["is_unique"] is True
    hand("create type mood as enum ('sad'); alter table fresh add mood mood default 'sad'")
    await until(lambda: api.get("/items/fresh", fields="mood"), lambda answer: answer.status == 200)


async def test_what_goes_breaks_no_request(api: Client, hand: Hand) -> None:
    hand("create table going (id serial primary key, a text, b text, c integer)")
    hand("create table friends (id serial primary key, going integer references going, x text)")
    await api.get("/collections")
    query = {"query": "{ going { id a b } friends { going { a } } }"}
    assert (await api.post("/items/going", {"a": "1", "b": "2", "c": 3})).status == 200
    assert (await api.post("/items/friends", {"going": 1})).status == 200
    assert "errors" not in (await api.post("/graphql", query)).body
    hand("alter table going drop a")
    assert (await api.get("/items/going", fields="a")).status == 403
    hand("alter table going drop b")
    assert (await api.post("/items/going", {"b": "x", "c": 4})).data == {"id": 2, "c": 4}
    assert (await api.post("/graphql", query)).status == 400
    hand("alter table going alter c type text using c || '!'")
    assert [row["c"] for row in (await api.get("/items/going")).data] == ["3!", "4!"]
    hand("alter table going alter c type date using '2020-02-02'")
    assert (await api.patch("/items/going/1", {"c": "2021-01-01"})).status in (200, 400)
    hand("alter table going rename c to d")
    assert (await api.get("/items/going/1")).data.keys() == {"id", "d"}
    hand("alter table friends rename x to y")
    # The row is written before its answer finds what is no longer there.
    written = await api.post("/items/going?fields=id,d", {"d": None})
    hand("alter table going rename d to e")
    assert written.status == 200
    before = len((await api.get("/items/friends")).data)
    answers = await asyncio.gather(
        *(api.post("/items/friends?fields=going.d", {"going": 1}) for _ in range(3))
    )
    assert {answer.status for answer in answers} <= {200, 204, 403}
    assert len((await api.get("/items/friends")).data) == before + 3
    hand("alter table going rename to gone")
    assert (await api.post("/items/going", {})).status == 403
    assert (await api.get("/items/gone")).status == 200
    hand("drop table friends, gone")
    for answer in (await api.get("/items/gone"), await api.delete("/items/gone/1")):
        assert answer.status == 403


async def test_views_and_triggers_that_fit_no_more(api: Client, hand: Hand) -> None:
    hand("""
        create table watched (id serial primary key, v text);
        create function broken() returns trigger language plpgsql as
            $$ begin perform from nosuch; return new; end $$;
        create trigger broken before insert on watched for each row execute function broken();
        create materialized view unfilled as select * from watched with no data;
        create foreign data wrapper nothing; create server nowhere foreign data wrapper nothing;
        create foreign table away (id integer) server nowhere;
    """)
    await api.get("/collections")
    assert (await api.post("/items/watched", {"v": "x"})).status == 422
    assert (await api.get("/items/unfilled")).status == 422
    assert (await api.get("/items/away")).status == 422


ODD = """
    create domain year as integer check (value > 1900);
    create type pair as (a integer, b text);
    create table "Order" (
        "Select" serial primary key, "from" text, "Mixed Case" integer, "quo""te" text, "da-sh" integer,
        "do.t" text, "sla/sh" text, "br{}ace" text, "per%cent" text, "ünïcode" text, "$id" integer,
        "_and" text, "__typename" text
    );
    insert into "Order" ("from", "Mixed Case") values ('x', 2);
    create table keyless (a integer, b text); insert into keyless values (1, 'x'), (1, 'x');
    create table composite (a integer, b text, c year, primary key (a, b));
    insert into composite values (1, 'x,y');
    create table parts (id integer, at date, v text, primary key (id, at)) partition by range (at);
    create table parts_1 partition of parts for values from ('2020-01-01') to ('2021-01-01');
    insert into parts values (1, '2020-05-05', 'v');
    create view seen as select id, v from parts;
    create table "with space" (id serial primary key);
    create table "slash/table" (id serial primary key);
    create table bare ();
    create table json_key (k jsonb primary key); insert into json_key values ('{"a": 1}');
    create table array_key (k integer[] primary key); insert into array_key values ('{1,2}');
    create table many (
        id serial primary key, p pair, m integer[], r int4range, x xml, t tsvector, b bit(3), i interval,
        c money, o oid, rc regclass, n numeric
    );
    insert into many (p, m, c, i, rc, n) values ((1, 'b'), '{1}', 5.5, '1 day', 'many', 'NaN');
"""
LONG = "n" * 63


async def test_strange_tables(api: Client, hand: Hand) -> None:
    hand(ODD)
    hand(f"create table {LONG} (id serial primary key, {LONG} integer unique references {LONG})")
    columns = ", ".join(f"c{number} integer" for number in range(1599))
    hand(f"create table wide (id serial primary key, {columns}); insert into wide default values")
    listed = {row["collection"]: row for row in (await api.get("/collections")).data}
    unreadable = ("unfilled", "away")
    names = [name for name in listed if not name.startswith("directus_") and name not in unreadable]
    assert {"Order", "keyless", "parts", "seen", "with space", "slash/table", "bare", LONG, "wide"} <= {
        *names
    }
    assert "parts_1" not in names
    for path in ("/fields", "/relations", "/schema/snapshot", "/server/specs/oas", "/server/specs/graphql"):
        assert (await api.get(path)).status == 200, path
    searches: list[dict[str, Any]]
    for name in names:
        place = quote(name, safe="")
        fields = [row["field"] for row in (await api.get(f"/fields/{place}")).data]
        assert (await api.get(f"/relations/{place}")).status == 200
        rows = (await api.get(f"/items/{place}")).data
        assert [list(row) for row in rows[:1]] in ([], [fields])
        for field in fields[:14]:
            searches = [
                {"filter": {field: {"_in": "1,2"}}},
                {"filter": {field: {"_eq": "x"}}},
                {"sort": [field]},
                {"groupBy": [field], "aggregate": {"min": [field]}},
            ]
            for search in searches:
                answer = await api.request("SEARCH", f"/items/{place}", {"query": search})
                assert answer.status in (200, 400, 403), (name, search, answer)
    assert (await api.get("/items/wide")).data[0]["c1598"] is None
    assert (await api.patch("/items/wide/1", {"c1598": 5})).data["c1598"] == 5
    assert (await api.patch("/items/Order/1", {"do.t": "dot", "br{}ace": "brace"})).data["do.t"] == "dot"
    assert (await api.get("/items/composite/1,x%252Cy")).data == {"a": 1, "b": "x,y", "c": None}
    refused = await api.post("/items/composite", {"a": 2, "b": "z", "c": 1})
    assert refused.status == 400
    asked = await api.post("/graphql", {"query": "{ Order { Select from } keyless { a } wide { c1598 } }"})
    assert asked.body["data"]["wide"] == [{"c1598": 5}]
