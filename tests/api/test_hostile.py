"""Requests nobody would send in good faith, on every route of a running server: each is answered by what the
contract has for it, soon, and the process stays as it is.

`ACTA_HOSTILE_REQUESTS=20000 .ci/test tests/api/test_hostile.py` is a long run; `ACTA_HOSTILE_SEED` begins it
elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import aiohttp
import orjson
import psutil
import pytest
from yarl import URL

from api.app import create_app
from domain.settings import Settings
from tests.api.test_docs import codes
from tests.support.bodies import BODIES
from tests.support.hostile import SCRATCH, Attacker, Hostile, Route
from tests.support.http import Client, client
from tests.support.library import fill, publish
from tests.support.server import ADMIN_TOKEN, Server, acta, running_server

REQUESTS = int(os.environ.get("ACTA_HOSTILE_REQUESTS", "900"))
SEED = int(os.environ.get("ACTA_HOSTILE_SEED", "1"))
AT_ONCE = 6
TOKEN = "a token of somebody who may do much with items"
MEGABYTES = 700
SECONDS = 15.0
"""What all processes together may take at most, and how long a request."""
KEPT = {("directus_users", name) for name in ("id", "token", "status", "role", "password", "tfa_secret")}
"""What is not written, so that those who send requests stay who they are."""
SLOW = {"OUT_OF_TIME", "SERVICE_UNAVAILABLE"}
"""Refusals of what takes too long, or waits for another request's lock: rare, and with `Retry-After`."""


@pytest.fixture(scope="module")
def served_url(empty_url: str) -> str:
    asyncio.run(fill(empty_url))
    return empty_url


@pytest.fixture(scope="module")
def server(served_url: str) -> Iterator[Server]:
    extra = {
        "STATEMENT_TIMEOUT": "10000",
        "USERS_REGISTER_ALLOW": "true",
        "TUS_ENABLED": "true",
        "METRICS_ENABLED": "true",
        "WEBSOCKETS_ENABLED": "true",
    }
    with running_server(served_url, extra=extra) as running:
        asyncio.run(prepare(running))
        yield running


async def prepare(running: Server) -> None:
    """Models to be changed, and somebody who may do everything with items and read most of the system."""
    async with client(running) as api:
        await publish(api)
        for name in SCRATCH:
            body = {**BODIES["/collections"], "collection": name}
            assert (await api.post("/collections", body)).status == 200
        role = (await api.post("/roles", {"name": "some"})).data["id"]
        policy = (await api.post("/policies", {"name": "some", "app_access": True})).data["id"]
        await api.post("/access", {"role": role, "policy": policy})
        for name, token in (("some", TOKEN), ("victim", None)):
            user = {"email": f"{name}@example.com", "password": "x-y-z-1-2-3", "role": role, "token": token}
            assert (await api.post("/users", user)).status == 200
        for collection in ("books", "authors", "reviews", "sections", "shop", "prices", "directus_files"):
            for action in ("create", "read", "update", "delete"):
                rule = {"policy": policy, "collection": collection, "action": action, "fields": ["*"]}
                rule["permissions"] = {"id": {"_neq": 4}} if collection in ("books", "reviews") else {}
                assert (await api.post("/permissions", rule)).status == 200


async def types_of_fields(api: Client) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for entry in (await api.get("/fields")).data:
        if (entry["collection"], entry["field"]) not in KEPT:
            found.setdefault(entry["collection"], {})[entry["field"]] = entry["type"]
    return found


def routes() -> list[Route]:
    """All routes of the application, each once."""
    settings = Settings.parse(
        {"TUS_ENABLED": "true", "METRICS_ENABLED": "true", "WEBSOCKETS_ENABLED": "true"}
    )
    return [
        Route(route.method, route.resource.canonical)
        for route in create_app(settings).router.routes()
        if route.resource is not None and route.method != "HEAD"
    ]


def megabytes(server: Server) -> float:
    """What the server's processes take together."""
    process = psutil.Process(server.process.pid)
    return sum(one.memory_info().rss for one in (process, *process.children(recursive=True))) / 1e6


async def send(
    session: aiohttp.ClientSession, server: Server, token: str | None, request: Hostile
) -> tuple[int, Any]:
    """Send a request; its status and JSON, after a look at the answer."""
    headers = {**request.headers, **({"Authorization": f"Bearer {token}"} if token else {})}
    url = URL(server.url + request.path, encoded=True)
    try:
        async with (
            asyncio.timeout(SECONDS),
            session.request(
                request.method, url, data=request.content, headers=headers, allow_redirects=False
            ) as response,
        ):
            body = await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        # What can't be unpacked ends the connection, also where nobody reads it.
        if "Content-Encoding" in request.headers and not isinstance(error, TimeoutError):
            return 0, None
        raise AssertionError(str(request)) from error
    told = "json" in response.headers.get("Content-Type", "")
    answer: Any = orjson.loads(body) if body and told else None
    if response.status < 400 or request.method == "HEAD":
        return response.status, answer
    if not told:
        # The parser of HTTP itself, and the protocol of resumable uploads, say so in words.
        assert response.status < 500, request
        return response.status, None
    found = [entry["extensions"]["code"] for entry in answer["errors"]]
    assert found
    assert all(code in codes() or code.startswith("GRAPHQL") for code in found), (str(request), body)
    assert response.status < 500 or set(found) <= SLOW, (str(request), body)
    return response.status, None


LARGE: dict[str, Any] = {
    "conditions": lambda: {"filter": {"_or": [{"id": number} for number in range(70_000)]}},
    "conditions of a relation": lambda: {
        "fields": "reviews.id",
        "deep": {"reviews": {"_filter": {"_and": [{"id": {"_neq": number}} for number in range(40_000)]}}},
    },
    "quantifiers": lambda: {"filter": {"reviews": {"_some": {"_or": [{"stars": 1}] * 60_000}}}},
    "fields": lambda: {"fields": [f"json(extra, a{number})" for number in range(40_000)]},
    "aliases": lambda: {"alias": {f"a{number}": "title" for number in range(50_000)}},
    "keys": lambda: {"sort": [f"json(extra, a{number})" for number in range(40_000)]},
    "groups": lambda: {"groupBy": [f"json(extra, a{number})" for number in range(40_000)]},
    "levels": lambda: {"deep": {f"a{number}": {"_limit": 1} for number in range(40_000)}},
}


@pytest.mark.parametrize("kind", LARGE)
async def test_a_query_of_a_megabyte_is_refused_before_it_costs_anything(server: Server, kind: str) -> None:
    waited: list[float] = []
    loop = asyncio.get_running_loop()

    async def ping(api: Client, answered: asyncio.Event) -> float:
        longest = 0.0
        while not answered.is_set():
            began = loop.time()
            await api.get("/server/ping")
            longest = max(longest, loop.time() - began)
        return longest

    async with client(server) as api:
        # The machine may stop for a moment, but not each time.
        while not waited or (waited[-1] >= 2 and len(waited) < 3):
            answered = asyncio.Event()
            pinging = asyncio.create_task(ping(api, answered))
            answer = await api.request("SEARCH", "/items/books", {"query": LARGE[kind]()})
            answered.set()
            waited.append(await pinging)
            assert answer.error["code"] == "INVALID_QUERY", answer.body
            assert "names more than 5000" in answer.error["reason"]
    assert min(waited) < 2, waited


@pytest.mark.timeout(120 + REQUESTS // 10)
async def test_nothing_breaks_the_server(server: Server, served_url: str) -> None:
    async with client(server) as api:
        fields = await types_of_fields(api)
    seen: Counter[int] = Counter()
    met: Counter[Route] = Counter()
    every = routes()
    before = {process.pid for process in psutil.Process(server.process.pid).children(recursive=True)}
    loop = asyncio.get_running_loop()
    slowest = (0.0, "")

    async def attack(number: int) -> None:
        nonlocal slowest
        attacker = Attacker(random.Random(SEED * AT_ONCE + number), every, fields)
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            for _ in range(REQUESTS // AT_ONCE):
                route, request = attacker.request()
                token = attacker.chance.choice((ADMIN_TOKEN, ADMIN_TOKEN, ADMIN_TOKEN, TOKEN, TOKEN, None))
                began = loop.time()
                status, answer = await send(session, server, token, request)
                attacker.learn(request, answer)
                slowest = max(slowest, (loop.time() - began, str(request)))
                seen[status] += 1
                met[route] += status < 400

    await asyncio.gather(*(attack(number) for number in range(AT_ONCE)))
    after = {process.pid for process in psutil.Process(server.process.pid).children(recursive=True)}
    logging.getLogger("acta.tests").info(
        "%s, %d of %d routes answered, slowest %.2f s: %s, %.0f MB",
        dict(seen), sum(count > 0 for count in met.values()), len(every), *slowest, megabytes(server),
    )  # fmt: skip
    assert before <= after
    assert megabytes(server) < MEGABYTES
    # What only refuses would prove nothing.
    assert seen[200] + seen[204] > REQUESTS // 10
    assert seen[503] <= REQUESTS // 50
    async with client(server) as api:
        assert (await api.get("/items/books", limit="1")).status == 200
    for command in (("rebuild", "--check"), ("verify",)):
        done = await asyncio.to_thread(acta, served_url, *command)
        assert done.returncode == 0, done.stdout + done.stderr
