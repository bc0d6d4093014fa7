"""Large exports are the same files as small ones."""

from __future__ import annotations

import psycopg
import pytest

from api.rest import streams
from tests.api.conftest import raw
from tests.support.server import Server

ROWS = """
CREATE TABLE IF NOT EXISTS things (id int PRIMARY KEY, name text, doc json);
INSERT INTO things
    SELECT n, 'thing "' || n || '"', CASE n % 3 WHEN 0 THEN json_build_object('a', n) WHEN 1 THEN '[1]' END
    FROM generate_series(1, 2500) n ON CONFLICT DO NOTHING
"""


@pytest.fixture(scope="module", autouse=True)
def things(served_url: str) -> None:
    with psycopg.connect(served_url) as connection:
        connection.execute(ROWS)


async def file(server: Server, query: str) -> tuple[int, str, str]:
    async with raw(server, f"/items/things?{query}") as answer:
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
