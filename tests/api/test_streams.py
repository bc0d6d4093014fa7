"""Large exports are the same files as small ones."""

from __future__ import annotations

import asyncio
import socket
import time

import aiohttp
import psycopg
import pytest

from api.rest import streams
from tests.api.conftest import raw
from tests.support.server import ADMIN_TOKEN, Server, running_server

ROWS = """
CREATE TABLE IF NOT EXISTS things (id int PRIMARY KEY, name text, doc json);
INSERT INTO things
    SELECT n, 'thing "' || n || '"', CASE n % 3 WHEN 0 THEN json_build_object('a', n) WHEN 1 THEN '[1]' END
    FROM generate_series(1, 2500) n ON CONFLICT DO NOTHING;
CREATE OR REPLACE VIEW endless AS SELECT n AS id, repeat('x', 5000) AS text FROM generate_series(1, 8000) n
"""


@pytest.fixture(scope="module", autouse=True)
def things(served_url: str) -> None:
    with psycopg.connect(served_url) as connection:
        connection.execute(ROWS)


async def file(server: Server, query: str, collection: str = "things") -> tuple[int, str, str]:
    async with raw(server, f"/items/{collection}?{query}") as answer:
        return answer.status, await answer.text(), answer.headers.get("Content-Disposition", "")


@pytest.mark.parametrize("form", ["csv", "csv_utf8", "json", "xml", "yaml"])
@pytest.mark.parametrize("fields", ["id,name", "id,name,doc"])
async def test_a_stream_and_a_file_in_one_piece_are_the_same(server: Server, form: str, fields: str) -> None:
    base = f"export={form}&fields={fields}&sort=id"
    status, small, _ = await file(server, f"{base}&limit={streams.SMALL}")
    large_status, large, disposition = await file(server, f"{base}&limit=-1&filter[id][_lte]={streams.SMALL}")
    assert status == large_status == 200
    assert large == small
    assert disposition.startswith('attachment; filename="things ')


@pytest.mark.parametrize("form", ["csv", "json", "xml", "yaml"])
@pytest.mark.parametrize("fields", ["id", "id,doc"])
async def test_without_rows(server: Server, form: str, fields: str) -> None:
    base = f"export={form}&filter[id]=0&fields={fields}"
    large, small = await file(server, f"{base}&limit=-1"), await file(server, base)
    assert large[:2] == small[:2]


async def test_everything(server: Server) -> None:
    _, text, _ = await file(server, "export=csv&limit=-1")
    assert len(text.splitlines()) == 2501


async def test_a_bad_query_is_refused_before_the_file_begins(server: Server) -> None:
    status, _, _ = await file(server, "export=csv&limit=-1&filter[id]=99999999999")
    assert status == 400


BUSY = """
    FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'acta api'
    AND state <> 'idle' AND query NOT LIKE 'LISTEN%'
"""


def busy(url: str, what: str) -> int:
    """How many connections of the server are at work; ``what`` is done with them."""
    with psycopg.connect(url, autocommit=True) as connection:
        return len(connection.execute(f"SELECT {what} {BUSY}".encode()).fetchall())


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_a_file_that_the_database_does_not_finish_is_cut_off(
    server: Server, served_url: str, form: str
) -> None:
    async with raw(server, f"/items/endless?export={form}&limit=-1") as answer:
        await answer.content.read(1000)
        assert busy(served_url, "pg_terminate_backend(pid)") == 1
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_a_client_that_takes_nothing_is_cut_off(served_url: str, form: str) -> None:
    with (
        running_server(served_url, "--no-followers", extra={"STATEMENT_TIMEOUT": "500"}) as patient,
        socket.create_connection(("127.0.0.1", patient.port)) as lazy,
    ):
        lazy.sendall(
            f"GET /items/endless?export={form}&limit=-1 HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {ADMIN_TOKEN}\r\n\r\n".encode()
        )
        deadline = time.monotonic() + 60
        while busy(served_url, "pid") == 0:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        while busy(served_url, "pid") > 0:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)


async def test_the_head_of_a_file_is_all_of_its_answer(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    request = "HEAD /items/endless?export=csv&limit=-1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    writer.write(f"{request}Authorization: Bearer {ADMIN_TOKEN}\r\n\r\n".encode())
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.partition(b"\r\n\r\n")[2] == b""
    writer.close()


async def test_clients_that_are_slow_leave_connections_to_others(served_url: str) -> None:
    with running_server(served_url, "--no-followers", extra={"EXPORT_MAX_CONCURRENCY": "1"}) as server:
        async with raw(server, "/items/endless?export=csv&limit=-1") as slow:
            await slow.content.read(1000)
            second = asyncio.create_task(file(server, "export=csv&limit=-1"))
            for query in ("fields=id&limit=1", "export=csv&limit=1"):
                assert (await file(server, query))[0] == 200
            await asyncio.sleep(0.3)
            assert not second.done()
        status, text, _ = await second
        assert (status, len(text.splitlines())) == (200, 2501)
