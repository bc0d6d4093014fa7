"""`If-Match` and `Idempotency-Key` as a client meets them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import psycopg
import pytest

from tests.support.http import Answer, Client, client
from tests.support.server import Server, start


async def note(api: Client, title: str = "n") -> tuple[str, str]:
    """The path of a new note, and its ETag."""
    created = await api.post("/items/notes", {"title": title})
    return f"/items/notes/{created.data['id']}", created.headers["Etag"]


async def patch(api: Client, path: str, body: Any, tag: str) -> Answer:
    return await api.request("PATCH", path, body, headers={"If-Match": tag})


async def test_every_answer_with_an_item_names_its_version(api: Client) -> None:
    path, created = await note(api)
    read = await api.get(path)
    assert read.headers["Etag"] == created
    # Other members make another body of the same version.
    short = await api.get(path, fields="id")
    assert short.headers["Etag"] != created
    assert short.headers["Etag"].rpartition("-v")[2] == created.rpartition("-v")[2]
    again = await api.request("GET", path, headers={"If-None-Match": created})
    assert (again.status, again.headers["Etag"]) == (304, created)
    changed = await patch(api, path, {"title": "m"}, short.headers["Etag"])
    assert changed.headers["Etag"] == (await api.get(path)).headers["Etag"] != created
    for listed in (await api.get("/items/notes"), await api.get(path, **{"aggregate[count]": "*"})):
        assert "-v" not in listed.headers["Etag"]


async def test_what_somebody_else_has_changed_is_not_overwritten(api: Client) -> None:
    path, tag = await note(api)
    assert (await patch(api, path, {"body": "mine"}, tag)).status == 200
    refused = await patch(api, path, {"body": "yours"}, tag)
    assert refused.status == 412
    assert refused.error == {
        "collection": "notes",
        "item": path.rpartition("/")[2],
        "fields": ["body"],
        "code": "PRECONDITION_FAILED",
    }
    assert (await api.request("DELETE", path, headers={"If-Match": tag})).status == 412
    assert (await api.get(path)).data["body"] == "mine"
    current = (await api.get(path)).headers["Etag"]
    # One of several will do, also as servers in between change them.
    assert (await patch(api, path, {}, f'"x", {current[:-1]}-gzip"')).status == 200
    assert (await patch(api, path, {"body": "b"}, "*")).status == 200
    current = (await api.get(path)).headers["Etag"]
    assert (await api.request("DELETE", path, headers={"If-Match": current})).status == 204
    assert (await patch(api, path, {"body": "b"}, "*")).status == 412


async def test_tags_that_name_no_version_of_one_item(api: Client) -> None:
    path, tag = await note(api)
    assert (await patch(api, path, {"body": "b"}, '"abc"')).status == 412
    assert (await patch(api, path, {"body": "b"}, "abc")).error["code"] == "INVALID_PAYLOAD"
    keys = {"keys": [1], "data": {}}
    for method, body in (("PATCH", keys), ("DELETE", [1]), ("POST", {"title": "x"})):
        refused = await api.request(method, "/items/notes", body, headers={"If-Match": tag})
        assert refused.error["code"] == "INVALID_PAYLOAD"


async def test_of_editors_at_once_one_wins(api: Client) -> None:
    path, tag = await note(api)
    answers = await asyncio.gather(*(patch(api, path, {"body": str(n)}, tag) for n in range(12)))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 11


async def test_singletons_and_system_collections_have_versions_too(api: Client) -> None:
    read = await api.get("/settings")
    changed = await api.patch("/settings", {"project_name": "P"})
    assert "-v" in changed.headers["Etag"]
    assert read.headers["Etag"] != changed.headers["Etag"]
    await api.post("/collections", {"collection": "page", "schema": {}, "meta": {"singleton": True}})
    assert (await patch(api, "/items/page", {}, "*")).status == 412
    made = await api.patch("/items/page", {})
    assert made.headers["Etag"] == (await api.get("/items/page")).headers["Etag"]
    assert (await patch(api, "/items/page", {}, made.headers["Etag"])).status == 200
    assert (await patch(api, "/items/page", {}, 'W/"0-v1"')).status == 412
    role = await api.post("/roles", {"name": "r"})
    path = f"/roles/{role.data['id']}"
    assert (await patch(api, path, {"name": "s"}, role.headers["Etag"])).status == 200
    assert (await patch(api, path, {"name": "t"}, role.headers["Etag"])).error["fields"] == ["name"]


# -- Idempotency-Key ---------------------------------------------------------------------------------------


async def send(api: Client, method: str, path: str, body: Any, key: str) -> Answer:
    return await api.request(method, path, body, headers={"Idempotency-Key": key})


async def titles(api: Client, title: str) -> int:
    counted = await api.get("/items/notes", filter={"title": title}, aggregate={"count": "*"})
    return int(counted.data[0]["count"])


async def test_a_request_sent_again_is_answered_again(api: Client) -> None:
    first = await send(api, "POST", "/items/notes", {"title": "once"}, "create")
    path = f"/items/notes/{first.data['id']}"
    await api.patch(path, {"body": "changed since"})
    again = await send(api, "POST", "/items/notes", {"title": "once"}, "create")
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert await titles(api, "once") == 1
    other = await send(api, "POST", "/items/notes", {"title": "other"}, "create")
    assert (other.status, other.error["code"]) == (422, "UNPROCESSABLE_CONTENT")
    for _ in range(2):
        assert (await send(api, "PATCH", path, {"body": "b"}, "change")).data["body"] == "b"
        assert (await send(api, "DELETE", path, None, "delete")).status == 204


async def test_batches_are_repeated_as_a_whole(api: Client) -> None:
    body = [{"title": "batch"}, {"title": "batch"}]
    first = await send(api, "POST", "/items/notes", body, "batch")
    keys = [row["id"] for row in first.data]
    change = {"query": {"filter": {"title": "batch"}}, "data": {"title": "moved"}}
    moved = [await send(api, "PATCH", "/items/notes", change, "move") for _ in range(2)]
    assert [[row["id"] for row in answer.data] for answer in moved] == [keys, keys]
    remove = {"query": {"filter": {"title": "moved"}}}
    assert [(await send(api, "DELETE", "/items/notes", remove, "drop")).status for _ in range(2)] == [
        204,
        204,
    ]
    assert (await send(api, "POST", "/items/notes", body, "batch")).body == first.body
    assert await titles(api, "batch") == 0


async def test_a_refusal_is_no_answer_to_keep(api: Client) -> None:
    refused = await send(api, "POST", "/items/tags", {"label": "x"}, "tag")
    assert refused.status == 400
    assert (await send(api, "POST", "/items/tags", {"id": "new", "label": "x"}, "tag")).status == 200
    for key in ("", "x" * 256):
        assert (await send(api, "POST", "/items/notes", {}, key)).status == 422


async def test_of_the_same_request_at_once_one_is_carried_out(api: Client) -> None:
    answers = await asyncio.gather(
        *(send(api, "POST", "/items/notes", {"title": "race"}, "race") for _ in range(12))
    )
    assert {answer.status for answer in answers} <= {200, 409}
    assert len({answer.data["id"] for answer in answers if answer.status == 200}) == 1
    assert await titles(api, "race") == 1


async def test_an_answer_that_was_cut_off_is_made_again(api: Client, served_url: str) -> None:
    first = await send(api, "POST", "/items/notes", {"title": "cut"}, "cut")
    with psycopg.connect(served_url) as connection:
        connection.execute("UPDATE acta.idempotency SET status = NULL, body = NULL WHERE key = 'cut'")
    assert (await send(api, "POST", "/items/notes", {"title": "cut"}, "cut")).body == first.body
    assert await titles(api, "cut") == 1


@asynccontextmanager
async def blocked(url: str, table: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """Nobody can write to the table while the block runs."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(
            psycopg.sql.SQL("LOCK {} IN SHARE MODE").format(psycopg.sql.Identifier(table))
        )
        yield connection


async def test_a_killed_server_leaves_the_key_free(served_url: str, api: Client) -> None:
    doomed: Server = start(served_url, "--no-followers")
    async with client(doomed) as dying, blocked(served_url, "notes") as blocker:
        sent = asyncio.create_task(send(dying, "POST", "/items/notes", {"title": "kill"}, "kill"))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'notes'::regclass"
        while await (await blocker.execute(waiting)).fetchone() != (1,):
            await asyncio.sleep(0.02)
        # While it is being carried out, nobody else takes it up.
        assert (await send(api, "POST", "/items/notes", {"title": "kill"}, "kill")).status == 409
        doomed.kill()
        with pytest.raises(aiohttp.ClientError):
            await sent
    while (answer := await send(api, "POST", "/items/notes", {"title": "kill"}, "kill")).status == 409:
        await asyncio.sleep(0.02)
    assert answer.status == 200
    assert await titles(api, "kill") == 1
