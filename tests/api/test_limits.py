"""What keeps one request from costing too much: time, depth, breadth; and what else may be a collection."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from tests.support.http import Answer, Client, client
from tests.support.server import Server, running_server

SECONDS = 1.5
SCHEMA = """
create table people (id int primary key, name text, boss int references people);
create table pets (id serial primary key, name text, owner int references people);
insert into people values (1, 'Ann', null), (2, 'Bob', 1), (3, 'Cid', 1);
insert into pets (name, owner) values ('Rex', 1), ('Tom', 2);
create view slow as select 1 as id, 'x'::text as name, (
    with recursive n as (select 1 as n union all select n + 1 from n where n < 200000000)
    select max(n)::text from n
) as pause;
create view teams as select boss, count(*)::int as size, max(name) as last from people group by boss;
create materialized view names as select id, name from people;
create schema shop;
create table shop.orders (id serial primary key, buyer int references public.people, total numeric(8, 2));
create table shop.lines (
    id serial primary key, "order" int references shop.orders on delete cascade, what text
);
"""


@pytest.fixture(scope="module")
def server(served_url: str) -> Iterator[Server]:
    with psycopg.connect(served_url) as connection:
        connection.execute(SCHEMA)
    extra = {"STATEMENT_TIMEOUT": str(round(SECONDS * 1000)), "DB_SCHEMAS": "public,shop"}
    with running_server(served_url, "--no-followers", extra=extra) as running:
        yield running


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Client]:
    async with client(server) as found:
        yield found


def refused_in_time(answer: Answer, began: float) -> None:
    assert answer.status == 503
    assert answer.error["code"] == "SERVICE_UNAVAILABLE"
    assert f"took longer than {SECONDS} seconds" in answer.error["reason"]
    assert answer.headers["Retry-After"]
    assert (took := time.monotonic() - began) < 10 * SECONDS, took


@pytest.mark.parametrize(
    "query",
    [
        {"fields": "pause"},
        {"filter[pause][_neq]": "x", "fields": "id", "meta": "filter_count"},
        {"aggregate[max]": "pause"},
        {"fields": "id,pause", "export": "csv", "limit": "-1"},
        {"fields": "id,pause", "export": "json", "limit": "-1"},
    ],
)
async def test_a_read_that_takes_too_long(api: Client, query: dict[str, str]) -> None:
    began = time.monotonic()
    refused_in_time(await api.get("/items/slow?" + urlencode(query)), began)
    assert (await api.get("/items/slow", fields="name")).data == [{"name": "x"}]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/items/people/2", {"name": "x"}),
        ("PATCH", "/items/people/2", {"name": "x", "boss": {"id": 3, "name": "y"}}),
        ("PATCH", "/items/people", {"keys": [1, 2], "data": {"name": "x"}}),
        ("DELETE", "/items/people/2", None),
        ("POST", "/items/pets", {"name": "new", "owner": {"id": 2, "name": "z"}}),
    ],
)
async def test_a_write_that_waits_too_long(
    api: Client, served_url: str, method: str, path: str, body: Any
) -> None:
    before = (await api.get("/items/people"), await api.get("/items/pets"))
    with psycopg.connect(served_url) as blocker:
        blocker.execute("SELECT FROM people WHERE id = 2 FOR UPDATE")
        began = time.monotonic()
        refused_in_time(await api.request(method, path, body), began)
        blocker.rollback()
    assert (await api.get("/items/people")).body == before[0].body
    assert (await api.get("/items/pets")).body == before[1].body


async def test_depth(api: Client) -> None:
    deepest = ".".join(["boss"] * 9 + ["name"])
    parameters: tuple[dict[str, Any], ...] = (
        {"fields": deepest},
        {"sort": deepest},
        {"filter": {"boss": {"boss": {"name": {"_eq": "x"}}}}},
    )
    for query in parameters:
        assert (await api.get("/items/people", **query)).status == 200
    too_deep: Any = {"name": {"_eq": "x"}}
    level: Any = {"_limit": 1}
    for _ in range(12):
        too_deep, level = {"boss": too_deep}, {"boss": level}
    beyond = {"fields": f"boss.{deepest}", "sort": f"boss.{deepest}", "filter": too_deep, "deep": level}
    for name, value in beyond.items():
        refused = await api.get("/items/people", **{name: value})
        assert refused.error["code"] == "INVALID_QUERY", name
        assert "depth" in refused.error["reason"]


async def test_breadth(api: Client) -> None:
    """However many relations one request names, there is an end."""
    wide = [f"{'.'.join(['boss'] * depth)}.name" for depth in range(1, 10)]
    assert (await api.get("/items/people", fields=",".join(wide))).status == 200
    aliases = {f"a{number}": "boss" for number in range(501)}
    refused = await api.get(
        "/items/people", alias=aliases, fields=",".join(f"{name}.name" for name in aliases)
    )
    assert refused.error["code"] == "INVALID_QUERY"
    assert "more than 500 relations" in refused.error["reason"]


# -- kinds of collections ----------------------------------------------------------------------------------


async def test_views_are_collections_that_are_read(api: Client) -> None:
    teams = await api.get("/items/teams", sort="-size", fields="boss,size,last")
    assert teams.data == [{"boss": 1, "size": 2, "last": "Cid"}, {"boss": None, "size": 1, "last": "Ann"}]
    assert (await api.get("/items/teams", filter={"size": {"_gt": 1}}, aggregate={"sum": "size"})).data == [
        {"sum": {"size": "2"}}
    ]
    assert (await api.get("/items/names", search="ann", meta="*")).body == {
        "data": [{"id": 1, "name": "Ann"}],
        "meta": {"total_count": 3, "filter_count": 1},
    }
    for method, path in (("POST", ""), ("PATCH", "/1"), ("DELETE", "/1"), ("GET", "/1")):
        refused = await api.request(method, f"/items/teams{path}", None if method == "GET" else {})
        assert refused.error["code"] == "FORBIDDEN", method


async def test_collections_of_several_schemas_are_related(api: Client, served_url: str) -> None:
    alias = {"field": "lines", "type": "alias", "meta": {"special": ["o2m"]}}
    assert (await api.post("/fields/orders", alias)).status == 200
    assert (await api.patch("/relations/lines/order", {"meta": {"one_field": "lines"}})).status == 200
    order = await api.post(
        "/items/orders", {"buyer": 2, "total": "9.5", "lines": [{"what": "a"}, {"what": "b"}]}
    )
    read = await api.get(f"/items/orders/{order.data['id']}", fields="total,buyer.name,lines.what")
    assert read.data == {"total": "9.50", "buyer": {"name": "Bob"}, "lines": [{"what": "a"}, {"what": "b"}]}
    assert (await api.get("/items/orders", filter={"buyer": {"name": "Bob"}, "lines": {"what": "b"}})).data
    assert (await api.delete(f"/items/orders/{order.data['id']}")).status == 204
    with psycopg.connect(served_url) as connection:
        events = "SELECT array_agg(DISTINCT collection) FROM acta.events WHERE topic = 'item.deleted'"
        assert connection.execute(events).fetchone() == (["lines", "orders"],)
