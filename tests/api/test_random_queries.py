"""Random and malicious queries on a running server: each is answered, or refused as the contract says.

`ACTA_FUZZ_QUERIES=100000 .ci/test tests/api/test_random_queries.py` is the long run; `ACTA_FUZZ_SEED` begins
it elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import psycopg
import pytest
from psycopg import sql

from tests.support.http import Answer, Client, client
from tests.support.library import ROWS, fill, publish
from tests.support.queries import INJECTIONS, fitting_query, random_query
from tests.support.server import Server, running_server

QUERIES = int(os.environ.get("ACTA_FUZZ_QUERIES", "2000"))
SEED = int(os.environ.get("ACTA_FUZZ_SEED", "1"))
AT_ONCE = 8
TOKEN = "a token of somebody with some rights"
COLLECTIONS = [name for name in ROWS if not name.startswith("directus_")]
READ_RULES: dict[str, dict[str, Any]] = {
    "books": {
        "fields": ["id", "title", "author", "reviews", "extra"],
        "permissions": {"pages": {"_gt": 100}},
    },
    "authors": {"fields": ["*"], "permissions": {"books": {"_some": {"title": {"_nnull": True}}}}},
    "reviews": {"fields": ["*"], "permissions": {}},
    "countries": {"fields": ["name"], "permissions": {"name": {"_neq": "$CURRENT_USER"}}},
}


@pytest.fixture(scope="module")
def served_url(empty_url: str) -> str:
    """A database with the library's tables in it."""
    asyncio.run(fill(empty_url))
    return empty_url


@pytest.fixture(scope="module")
def server(served_url: str) -> Iterator[Server]:
    """A server of the library, with a user who has some rights."""

    async def prepare(running: Server) -> None:
        async with client(running) as api:
            await publish(api)
            role = (await api.post("/roles", {"name": "some"})).data["id"]
            policy = (await api.post("/policies", {"name": "some"})).data["id"]
            await api.post("/access", {"role": role, "policy": policy})
            user = {"email": "some@example.com", "password": "x-y-z-1-2-3", "role": role, "token": TOKEN}
            assert (await api.post("/users", user)).status == 200
            for collection, rule in READ_RULES.items():
                body = {"policy": policy, "collection": collection, "action": "read", **rule}
                assert (await api.post("/permissions", body)).status == 200

    with running_server(served_url, extra={"STATEMENT_TIMEOUT": "10000"}) as running:
        asyncio.run(prepare(running))
        yield running


@pytest.fixture
async def callers(server: Server) -> AsyncIterator[list[Client]]:
    """An administrator, and somebody with some rights."""
    async with client(server) as admin, client(server, TOKEN) as some:
        yield [admin, some]


def contents(url: str) -> list[Any]:
    """All that must not change: the rows, the tables, the log."""
    with psycopg.connect(url) as connection:
        rows = [
            connection.execute(
                sql.SQL("SELECT jsonb_agg(t ORDER BY t::text) FROM {} AS t").format(sql.Identifier(name))
            ).fetchone()
            for name in COLLECTIONS
        ]
        catalog = connection.execute(
            "SELECT count(*), sum(relnatts) FROM pg_class"
            " WHERE relnamespace IN ('public'::regnamespace, 'acta'::regnamespace)"
        ).fetchone()
        return [*rows, catalog, connection.execute("SELECT count(*) FROM acta.events").fetchone()]


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def bracketed(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """A parameter in the notation of brackets."""
    if isinstance(value, dict) and value:
        for key, entry in value.items():
            yield from bracketed(f"{name}[{key}]", entry)
    elif isinstance(value, list) and value:
        for entry in value:
            yield from bracketed(f"{name}[]", entry)
    else:
        yield name, text_of(value)


async def ask(api: Client, chance: random.Random) -> Answer:
    """One random request that reads."""
    collection = chance.choice(COLLECTIONS)
    query = fitting_query(chance, collection) if chance.random() < 0.5 else random_query(chance)
    path = f"/items/{collection}"
    kind = chance.random()
    if kind < 0.3:
        return await api.request("SEARCH", path, {"query": query})
    if kind < 0.4:
        path += f"/{quote(chance.choice(('1', '2', '99', *INJECTIONS)), safe='')}"
    pairs = [
        pair
        for name, value in query.items()
        for pair in (bracketed(name, value) if kind < 0.7 else [(name, text_of(value))])
    ]
    return await api.get(f"{path}?{urlencode(pairs)}")


@pytest.mark.timeout(60 + QUERIES // 100)
async def test_random_queries(served_url: str, callers: list[Client]) -> None:
    before = contents(served_url)
    seen: Counter[int] = Counter()
    loop = asyncio.get_running_loop()
    slowest = 0.0

    async def work(number: int) -> None:
        nonlocal slowest
        chance = random.Random(SEED * AT_ONCE + number)
        for turn in range(QUERIES // AT_ONCE):
            began = loop.time()
            answer = await ask(callers[turn % 2], chance)
            slowest = max(slowest, loop.time() - began)
            seen[answer.status] += 1
            assert answer.status in (200, 400, 403), (number, turn, answer.body)

    await asyncio.gather(*(work(number) for number in range(AT_ONCE)))
    logging.getLogger("acta.tests").info("%s, slowest %.2f s", dict(seen), slowest)
    # What only refuses would prove nothing.
    assert min(seen[200], seen[400], seen[403]) > QUERIES // 10
    assert slowest < 10
    assert contents(served_url) == before


PLACES: dict[str, Any] = {
    "field": lambda text: {"fields": text},
    "field of a relation": lambda text: {"fields": f"author.{text}"},
    "function": lambda text: {"fields": f"{text}(published)"},
    "argument": lambda text: {"fields": f"year({text})"},
    "path in JSON": lambda text: {"fields": f"json(extra, {text})"},
    "alias": lambda text: {"alias": {text: "title"}, "fields": [text]},
    "aliased field": lambda text: {"alias": {"a": text}, "fields": "a"},
    "sort": lambda text: {"sort": text},
    "descending sort": lambda text: {"sort": f"-{text}"},
    "filtered field": lambda text: {"filter": {text: {"_eq": 1}}},
    "operator": lambda text: {"filter": {"title": {text: 1}}},
    "text": lambda text: {"filter": {"title": {"_contains": text}}},
    "number": lambda text: {"filter": {"pages": {"_gt": text}}},
    "list": lambda text: {"filter": {"id": {"_in": [text, 1]}}},
    "date": lambda text: {"filter": {"published": {"_between": [text, text]}}},
    "variable": lambda text: {"filter": {"title": {"_eq": f"$CURRENT_USER.{text}"}}},
    "followed relation": lambda text: {"filter": {f"$FOLLOW({text},book)": {"id": {"_eq": 1}}}},
    "any-to-one": lambda text: {"filter": {"sections": {f"item:{text}": {"text": {"_eq": "x"}}}}},
    "search": lambda text: {"search": text},
    "deep": lambda text: {"deep": {text: {"_filter": {text: 1}, "_sort": text}}},
    "deep filter": lambda text: {"fields": "reviews.id", "deep": {"reviews": {"_filter": {"text": text}}}},
    "group": lambda text: {"groupBy": text},
    "aggregate": lambda text: {"aggregate": {text: "id"}},
    "aggregated": lambda text: {"aggregate": {"count": [text]}, "groupBy": "title"},
    "limit": lambda text: {"limit": text, "offset": text, "page": text},
    "meta": lambda text: {"meta": text},
    "cursor": lambda text: {"after": text},
    "export": lambda text: {"export": text},
    "version": lambda text: {"version": text, "versionRaw": text},
    "parameter": lambda text: {text: text},
}


@pytest.mark.parametrize("place", PLACES)
async def test_no_name_and_no_value_becomes_sql(served_url: str, callers: list[Client], place: str) -> None:
    before = contents(served_url)

    async def send(text: str) -> None:
        query = PLACES[place](text)
        for api in callers:
            for answer in (
                await api.request("SEARCH", "/items/books", {"query": query}),
                await api.get("/items/books?" + urlencode({k: text_of(v) for k, v in query.items()})),
            ):
                assert answer.status in (200, 400, 403), (query, answer.body)

    async with asyncio.timeout(50):
        await asyncio.gather(*(send(text) for text in INJECTIONS))
    assert contents(served_url) == before


async def test_paths_and_bodies_do_not_become_sql_either(callers: list[Client], served_url: str) -> None:
    before = contents(served_url)
    for text in INJECTIONS:
        encoded = quote(text, safe="")
        for path in (f"/items/{encoded}", f"/items/books/{encoded}", f"/items/{encoded}/1"):
            for api in callers:
                for method, body in (("GET", None), ("DELETE", None), ("PATCH", {})):
                    answer = await api.request(method, path, body)
                    assert answer.status in (204, 400, 403, 404), (method, path, answer.body)
        bodies: list[Any] = [{text: 1}, {"title": {text: text}}, {"reviews": {text: []}}, [{"id": text}]]
        for body in bodies:
            answer = await callers[1].request("POST", "/items/books", body)
            assert answer.status in (400, 403), (body, answer.body)
    assert contents(served_url)[:-1] == before[:-1]


async def test_an_output_is_named_as_asked_whatever_that_is(callers: list[Client]) -> None:
    for text in INJECTIONS:
        if "." in text or "\0" in text or len(text) > 63:
            continue
        query = {"alias": {text: "title"}, "fields": [text], "limit": 1, "sort": "id"}
        answer = await callers[0].request("SEARCH", "/items/books", {"query": query})
        assert answer.data == [{text: "One"}] or answer.status == 400, text
