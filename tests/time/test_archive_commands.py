"""`acta log archive` beside a running server, and what its users see of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.http import Client, client
from tests.support.server import Server, acta, running_server
from tests.support.waiting import until

REVISIONS = """
    query ($item: String) {
        revisions(filter: {collection: {_eq: "notes"}, item: {_eq: $item}}, sort: ["id"]) { delta }
    }
"""


@pytest.fixture
def storage(tmp_path: Path) -> dict[str, str]:
    return {"STORAGE_LOCAL_ROOT": str(tmp_path)}


@pytest.fixture
def server(prepared_url: str, storage: dict[str, str]) -> Iterator[Server]:
    with psycopg.connect(prepared_url) as connection:
        connection.execute("create table notes (id serial primary key, title text unique)")
    with running_server(prepared_url, extra=storage) as running:
        yield running


async def test_archive_and_recall(
    server: Server, prepared_url: str, storage: dict[str, str], tmp_path: Path
) -> None:
    told = {"filter[collection][_eq]": "notes", "filter[item][_eq]": "1", "sort": "id"}
    with psycopg.connect(prepared_url, autocommit=True) as database:
        async with client(server) as api:
            await api.post("/items/notes", {"title": "one"})
            await api.patch("/items/notes/1", {"title": "two"})
            await api.post("/items/notes", {"title": "gone"})
            await api.delete("/items/notes/2")
            none = acta(prepared_url, "log", "archive", extra=storage)
            assert (none.returncode, none.stdout) == (0, "")
            assert "no partition of the log is closed" in none.stderr
            database.execute("select setval('acta.events_seq_seq', 10000000)")
            await api.patch("/items/notes/1", {"title": "three"})
            revisions = (await api.get("/revisions", **told)).data
            blamed = (await api.get("/utils/blame/notes/1")).data
            await until(lambda: _passed(database))
            dry = acta(prepared_url, "log", "archive", "--dry-run", extra=storage)
            assert dry.stdout.startswith("events 0 to 9999999: ")
            done = acta(prepared_url, "log", "archive", extra=storage)
            assert (done.returncode, done.stderr) == (0, "")
            assert "bytes each in the table" in done.stdout
            assert len(list(tmp_path.rglob("*.gz"))) == 1
            listed = acta(prepared_url, "log", "archives", extra=storage).stdout.split("\t")
            archived = int(listed[0])
            assert listed[3] == "local\n"

            await _nobody_brings_back(server, database, told)
            assert len((await api.get("/revisions", **{**told, "filter[item][_eq]": "3"})).data) == 0
            await _entries_alone_are_refused(server, api, revisions[0]["id"])
            await _graphql_brings_back(api, revisions)
            assert (await api.get("/revisions", **told)).data == revisions
            assert (await api.get("/utils/blame/notes/1")).data == blamed
            gone = (await api.get("/activity", **{**told, "filter[item][_eq]": "2"})).data
            assert [one["action"] for one in gone] == ["create", "delete"]
            await _earlier_is_refused(api, archived, revisions[0]["id"])
            assert (await api.get("/items/notes", as_of=str(archived))).data == [{"id": 1, "title": "two"}]
            assert acta(prepared_url, "verify", extra=storage).returncode == 0

            back = acta(
                prepared_url, "restore", "--to", str(archived - 3), "--in-place", "--yes", extra=storage
            )
            assert (back.returncode, "was archived: it is back" in back.stderr) == (0, True)
            assert not list(tmp_path.rglob("*.gz"))
            assert acta(prepared_url, "verify", extra=storage).returncode == 0


async def _nobody_brings_back(server: Server, database: psycopg.Connection, told: dict[str, str]) -> None:
    async with client(server, token=None) as nobody:
        assert (await nobody.get("/revisions", **told)).status == 403
    assert database.execute("select count(*) from acta.archive_items").fetchone() == (0,)


async def _graphql_brings_back(api: Client, revisions: list[dict[str, Any]]) -> None:
    asked = {"query": REVISIONS, "variables": {"item": "1"}}
    answer = (await api.request("POST", "/graphql/system", asked)).data
    assert answer["revisions"] == [{"delta": one["delta"]} for one in revisions]


async def _entries_alone_are_refused(server: Server, api: Client, entry: int) -> None:
    for path in (f"/revisions/{entry}", f"/activity/{entry}"):
        refused = await api.get(path)
        assert (refused.status, "acta log recall" in refused.error["reason"]) == (400, True)
        for more in ("99999999", "0" * 5000):
            assert (await api.get(f"{path}{more}")).status == 403
        async with client(server, token=None) as nobody:
            assert (await nobody.get(path)).status == 403


async def _earlier_is_refused(api: Client, archived: int, activity: int) -> None:
    refused = await api.get("/items/notes", as_of=str(archived - 1))
    assert (refused.status, refused.error["code"]) == (400, "INVALID_QUERY")
    assert "acta log recall" in refused.error["reason"]
    refused = await api.post("/utils/undo", {"activity": activity})
    assert (refused.status, refused.error["code"]) == (400, "INVALID_PAYLOAD")


async def _passed(database: psycopg.Connection) -> bool:
    """Whether all followers have come past the first partition."""
    statement = (
        "select min(position) >= (select max(last_position) from acta.seals"
        " where lower(members) < 10000000) from acta.cursors"
    )
    row = database.execute(statement).fetchone()
    return row is not None and bool(row[0])
