"""Exports into the file library: what they hold, whose rights count, what the user is told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from api.rest.file_exports import MOST_WAITING
from projections.database import Database
from projections.log.seal import Sealer
from tests.api.conftest import raw
from tests.support.http import Client, client
from tests.support.server import Server, running_server

SCHEMA = """
CREATE TABLE goods (id serial PRIMARY KEY, code text NOT NULL, kind text, options jsonb);
INSERT INTO goods (code, kind, options)
    SELECT 'c' || n, CASE n % 2 WHEN 0 THEN 'even' ELSE 'odd' END, json_build_object('n', n)
    FROM generate_series(1, 3000) n;
CREATE TABLE page (id serial PRIMARY KEY, headline text);
INSERT INTO page (headline) VALUES ('Hello');
"""


@pytest.fixture(scope="module", autouse=True)
def goods(served_url: str) -> None:
    with psycopg.connect(served_url) as connection:
        connection.execute(SCHEMA)


async def begin(api: Client, collection: str = "goods", /, **body: Any) -> None:
    answer = await api.post(f"/utils/export/{collection}", body)
    assert (answer.status, answer.body) == (204, None)


async def told(api: Client) -> dict[str, Any]:
    """The next notification, which is removed."""
    for _ in range(900):
        found = (await api.get("/notifications", sort="id", limit="1")).data
        if found:
            assert (await api.delete(f"/notifications/{found[0]['id']}")).status == 204
            notification: dict[str, Any] = found[0]
            return notification
        await asyncio.sleep(0.05)
    raise AssertionError("no notification")


async def exported(server: Server, api: Client, **body: Any) -> tuple[dict[str, Any], str]:
    """Record and content of the file that an export makes."""
    await begin(api, **body)
    notification = await told(api)
    assert notification["subject"] == "Your export of goods is ready", notification["message"]
    assert notification["collection"] == "directus_files"
    assert notification["recipient"] == notification["sender"] is not None
    record = (await api.get(f"/files/{notification['item']}")).data
    async with raw(server, f"/assets/{notification['item']}") as answer:
        return record, await answer.text()


@pytest.mark.parametrize(
    ("form", "query"),
    [
        ("csv", {}),
        ("csv_utf8", {"fields": ["code", "options"], "sort": "-kind", "filter": {"id": {"_lte": 1500}}}),
        ("json", {"fields": ["id", "options"], "sort": ["kind"], "limit": 1200}),
        ("xml", {"search": "c10", "alias": {"k": "kind"}, "fields": ["k"]}),
        ("yaml", {"groupBy": ["kind"], "aggregate": {"count": "*"}, "sort": ["kind"]}),
        ("json", {"filter": {"id": 0}}),
    ],
)
async def test_the_file_is_that_of_a_download(
    server: Server, api: Client, form: str, query: dict[str, Any]
) -> None:
    record, text = await exported(server, api, query=query, format=form)
    again = {"limit": -1, **query, "export": form}
    if "sort" in query and "groupBy" not in query:
        again["sort"] = [*([query["sort"]] if isinstance(query["sort"], str) else query["sort"]), "id"]
    async with raw(server, "/items/goods", method="SEARCH", json={"query": again}) as answer:
        assert text == await answer.text()
    assert record["filename_download"].startswith("export-goods-2")
    assert record["filename_download"].endswith("." + form.partition("_")[0])
    assert record["title"] == record["filename_download"].rpartition(".")[0]
    assert record["type"] == answer.content_type
    assert record["uploaded_by"] is not None


async def test_the_file_of_a_moment(server: Server, api: Client, served_url: str) -> None:
    key = (await api.post("/items/goods", {"code": "early"})).data["id"]
    async with (
        await Database.open(served_url, maximum=1) as database,
        database.connection() as connection,
    ):
        sealer = await Sealer.try_open(connection)
        assert sealer is not None
        await sealer.seal()
    moment = datetime.now(UTC).isoformat()
    assert (await api.patch(f"/items/goods/{key}", {"code": "late"})).status == 200
    query = {"as_of": moment, "filter": {"id": {"_eq": key}}, "fields": ["code"]}
    _, text = await exported(server, api, query=query, format="csv")
    assert text == '"code"\n"early"'


async def test_the_file_is_described_by_the_request(server: Server, api: Client) -> None:
    folder = (await api.post("/folders", {"name": "Exports"})).data["id"]
    about = {"title": "All", "folder": folder, "tags": ["x"], "filename_download": "all.csv"}
    record, text = await exported(server, api, query={"limit": 1}, format="csv", file=about)
    assert {name: record[name] for name in about} == about
    assert text.splitlines()[1].startswith('1,"c1","odd",')


async def test_a_singleton_is_one_object(server: Server, api: Client) -> None:
    assert (await api.patch("/collections/page", {"meta": {"singleton": True}})).status == 200
    await begin(api, "page", query={"fields": ["headline"]}, format="json", file={})
    file = (await told(api))["item"]
    async with raw(server, f"/assets/{file}") as answer:
        assert await answer.json(content_type=None) == {"headline": "Hello"}


@pytest.mark.parametrize(
    "body",
    [
        {"query": {"filter": {"nosuch": 1}}, "format": "csv"},
        {"query": {"sort": 5}, "format": "json"},
        {"query": {"filter": {"id": 99999999999}}, "format": "csv_utf8"},
        {"query": {"limit": "x"}, "format": "csv"},
        {"query": {}, "format": "nope"},
        {"query": {}, "format": ["csv"]},
        {"query": {}, "format": "csv", "file": {"storage": "nowhere"}},
        {"query": {}, "format": "csv", "file": {"filename_disk": ".x"}},
    ],
)
async def test_what_fails_is_told(api: Client, body: dict[str, Any]) -> None:
    before = (await api.get("/files", **{"aggregate[count]": "*"})).data
    await begin(api, **body)
    notification = await told(api)
    assert notification["subject"] == "Your export of goods failed"
    assert notification["message"]
    assert notification["item"] is None
    assert (await api.get("/files", **{"aggregate[count]": "*"})).data == before


@pytest.mark.parametrize(
    ("collection", "body", "refused"),
    [
        ("goods", {"query": {}}, (400, "INVALID_PAYLOAD")),
        ("goods", {"format": "csv"}, (400, "INVALID_PAYLOAD")),
        ("goods", [], (400, "INVALID_PAYLOAD")),
        ("goods", {"query": "x", "format": "csv"}, (400, "INVALID_PAYLOAD")),
        ("goods", {"query": {}, "format": "csv", "file": [1]}, (400, "INVALID_PAYLOAD")),
        ("nosuch", {"query": {}, "format": "csv"}, (403, "FORBIDDEN")),
    ],
)
async def test_what_is_refused_at_once(
    api: Client, collection: str, body: Any, refused: tuple[int, str]
) -> None:
    answer = await api.post(f"/utils/export/{collection}", body)
    assert (answer.status, answer.error["code"]) == refused


async def test_the_callers_rights_count(server: Server, api: Client, anonymous: Client) -> None:
    await begin(anonymous, query={}, format="csv")
    made = await api.post("/policies", {"name": "p"})
    user = {"email": "u@example.com", "token": "u-token", "policies": [{"policy": made.data["id"]}]}
    assert (await api.post("/users", user)).status == 200

    async def may(collection: str, action: str, fields: list[str], rule: Any = None) -> None:
        right = {"collection": collection, "action": action, "fields": fields, "permissions": rule}
        assert (await api.post("/permissions", {**right, "policy": made.data["id"]})).status == 200

    mine = {"recipient": {"_eq": "$CURRENT_USER"}}
    for action in ("read", "delete"):
        await may("directus_notifications", action, ["*"], mine)
    async with client(server, "u-token") as limited:
        await begin(limited, query={}, format="csv")
        assert (await told(limited))["subject"] == "Your export of goods failed"
        # The key is not readable, so the order is that of the query alone.
        await may("goods", "read", ["code"], {"id": {"_lt": 3}})
        await begin(limited, query={"sort": ["-code"]}, format="csv")
        assert (await told(limited))["subject"] == "Your export of goods failed"
        await may("directus_files", "create", ["*"])
        await begin(limited, query={"sort": ["-code"]}, format="csv")
        file = (await told(limited))["item"]
    async with raw(server, f"/assets/{file}") as answer:
        assert await answer.text() == '"code"\n"c2"\n"c1"'


async def test_exports_wait_for_each_other(api: Client, served_url: str) -> None:
    with psycopg.connect(served_url) as connection:
        connection.execute("LOCK TABLE goods")
        statuses = [
            (await api.post("/utils/export/goods", {"query": {"limit": 1}, "format": "csv"})).status
            for _ in range(MOST_WAITING + 6)
        ]
    assert statuses.count(204) in (MOST_WAITING + 4, MOST_WAITING + 5)
    assert statuses[-1] == 403
    subjects = {(await told(api))["subject"] for _ in range(statuses.count(204))}
    assert subjects == {"Your export of goods is ready"}


async def test_a_server_that_stops_tells_of_what_it_did_not_finish(served_url: str) -> None:
    with running_server(served_url, "--no-followers") as stopped:
        async with client(stopped) as api:
            before = (await api.get("/notifications", **{"aggregate[count]": "*"})).data
            with psycopg.connect(served_url) as connection:
                connection.execute("LOCK TABLE goods")
                await begin(api, query={}, format="csv")
                await asyncio.to_thread(stopped.stop)
    with running_server(served_url, "--no-followers") as again:
        async with client(again) as api:
            assert before == [{"count": "0"}]
            notification = await told(api)
    assert notification["subject"] == "Your export of goods failed"
    assert notification["message"] == "The server was stopped."
