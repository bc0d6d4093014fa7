"""The database goes away while the server runs, and comes back."""

import asyncio
import time

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.support.http import Client
from tests.support.server import Server


async def test_a_lost_database_is_503_until_it_is_back(
    api: Client, anonymous: Client, server: Server, served_url: str, postgres_url: str
) -> None:
    name = str(conninfo_to_dict(served_url)["dbname"])
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        admin.execute(
            "select pg_terminate_backend(pid, 20000) from pg_stat_activity where datname = %s", [name]
        )
        try:
            for method, path, body in (
                ("GET", "/items/notes", None),
                ("POST", "/items/notes", {"title": "x"}),
            ):
                answer = await api.request(method, path, body)
                assert (answer.status, answer.error["code"]) == (503, "SERVICE_UNAVAILABLE")
                assert int(answer.headers["Retry-After"]) >= 1
            health = await anonymous.get("/server/health")
            assert health.status == 503
            assert (await anonymous.get("/server/ping")).status == 200
        finally:
            admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(name)))
    deadline = time.monotonic() + 60
    while (answer := await api.get("/items/notes")).status == 503 and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    assert answer.status == 200
    assert (await api.post("/items/notes", {"title": "back"})).status == 200


async def test_a_cut_connection_costs_no_request(api: Client, served_url: str, postgres_url: str) -> None:
    name = conninfo_to_dict(served_url)["dbname"]
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        for _ in range(3):
            admin.execute(
                "select pg_terminate_backend(pid, 20000) from pg_stat_activity where datname = %s", [name]
            )
            assert (await api.get("/items/notes")).status == 200
