"""Addresses that give and take bytes for some time, from a directory."""

import asyncio
import hashlib
import io
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.files.test_uploads import left, stored
from tests.support.files import Files, Part, files, picture
from tests.support.server import Server, running_server
from tests.support.waiting import until

SETTINGS = {"FILES_MAX_UPLOAD_SIZE": "1mb", "FILES_MIME_TYPE_ALLOW_LIST": "image/*,text/*"}
READER = "abf8a154-5b1c-4a46-ac9c-7300570f4f17"


async def put(api: Files, url: str, content: bytes) -> int:
    """As somebody who has nothing but the address."""
    async with api.session.put(
        api.url + url, data=io.BytesIO(content), headers={"Authorization": ""}
    ) as response:
        return response.status


async def test_a_file_is_uploaded_past_the_rights_check_that_gave_the_address(
    api: Files, server: Server, storage: Path, served_url: str
) -> None:
    content = picture(60, 40)
    asked = {"filename_download": "my pic.jpg", "type": "image/jpeg", "description": "d"}
    offer = (await api.post("/files/presigned", asked)).data
    assert offer["method"] == "PUT"
    async with files(server, None) as nobody:
        assert await put(nobody, offer["url"], b"first try") == 200
        assert await put(nobody, offer["url"], content) == 200
        refused = await nobody.post("/files/presigned/complete", {"token": offer["token"]})
        assert refused.status == 403
    assert (await api.get("/files", filter={"filename_download": "my pic.jpg"})).data == []
    record = (await api.post("/files/presigned/complete", {"token": offer["token"]})).data
    assert (record["title"], record["description"], record["width"]) == ("My Pic", "d", 60)
    assert record["filesize"] == str(len(content))
    assert (await api.fetch(f"/assets/{record['id']}"))[2] == content
    listed = (await api.get(f"/files/{record['id']}/contents")).data
    assert listed[0]["sha256"] == hashlib.sha256(content).hexdigest()
    # The address is used up.
    assert await put(api, offer["url"], b"late") == 403
    assert (await api.post("/files/presigned/complete", {"token": offer["token"]})).status == 403
    assert not {name for name in stored(storage) if name.startswith(".incoming/")}
    assert left(served_url) == 0


async def test_a_file_is_replaced(api: Files) -> None:
    record = await api.upload(b"old", "a.txt", "text/plain", title="Kept")
    asked = {"filename_download": "b.txt", "type": "text/plain", "id": record["id"]}
    offer = (await api.post("/files/presigned", asked)).data
    assert await put(api, offer["url"], b"new") == 200
    after = (await api.post("/files/presigned/complete", {"token": offer["token"]})).data
    assert (after["id"], after["title"], after["filename_download"]) == (record["id"], "Kept", "b.txt")
    assert (await api.fetch(f"/assets/{record['id']}"))[2] == b"new"


@pytest.mark.parametrize(
    ("declared", "status", "code"),
    [
        ({"sha256": "0" * 64}, 400, "INVALID_PAYLOAD"),
        ({"filesize": 9}, 400, "INVALID_PAYLOAD"),
        ({"title": "x" * 300}, 400, "VALUE_TOO_LONG"),
        ({"folder": "00000000-0000-4000-8000-000000000000"}, 400, "INVALID_FOREIGN_KEY"),
    ],
)
async def test_what_does_not_hold_leaves_nothing(
    api: Files, storage: Path, served_url: str, declared: dict[str, Any], status: int, code: str
) -> None:
    before = stored(storage)
    asked = {"filename_download": "a.txt", "type": "text/plain", **declared}
    offer = (await api.post("/files/presigned", asked)).data
    assert await put(api, offer["url"], b"bytes") == 200
    answer = await api.post("/files/presigned/complete", {"token": offer["token"]})
    assert (answer.status, answer.error["code"]) == (status, code)
    assert stored(storage) == before
    assert left(served_url) == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"filename_download": 3}, 400),
        ({"filename_download": "a", "type": "video/mp4"}, 400),
        ({"filename_download": "a", "type": "text/plain", "expires": 0}, 400),
        ({"filename_download": "a", "type": "text/plain", "expires": "1"}, 400),
        ({"filename_download": "a", "type": "text/plain", "id": "x"}, 400),
        ({"filename_download": "a", "type": "text/plain", "sha256": "x"}, 400),
        ({"filename_download": "a", "type": "text/plain", "storage": "nowhere"}, 400),
        ({"filename_download": "a", "type": "text/plain", "filesize": 10**12}, 413),
        ({"filename_download": "a", "type": "text/plain", "filesize": -1}, 400),
    ],
)
async def test_bad_wishes(api: Files, served_url: str, body: dict[str, Any], status: int) -> None:
    assert (await api.post("/files/presigned", body)).status == status
    assert left(served_url) == 0


async def test_tokens(api: Files, server: Server) -> None:
    asked = {"filename_download": "a.txt", "type": "text/plain"}
    offer = (await api.post("/files/presigned", asked)).data
    address, token = offer["url"], offer["token"]
    assert await put(api, f"/files/presigned/{token}", b"x") == 403
    assert await put(api, address[:-3] + "abc", b"x") == 403
    assert (await api.post("/files/presigned/complete", {})).status == 403
    assert await put(api, address, b"x" * 2_000_000) == 413
    # Nothing has been uploaded.
    assert (await api.post("/files/presigned/complete", {"token": token})).status == 400
    login = await api.fetch("/users/me", headers={"Authorization": f"Bearer {token}"})
    assert login[0] in (401, 403)
    short = (await api.post("/files/presigned", {**asked, "expires": 1})).data
    await asyncio.sleep(1.1)
    assert await put(api, short["url"], b"x") == 401
    async with files(server, None) as nobody:
        assert (await nobody.post("/files/presigned", asked)).status == 403


async def test_what_nobody_completes_is_removed(api: Files, storage: Path, served_url: str) -> None:
    before = stored(storage)
    offer = (await api.post("/files/presigned", {"filename_download": "a.txt", "type": "text/plain"})).data
    assert await put(api, offer["url"], b"forgotten") == 200
    assert len(stored(storage) - before) == 1
    with psycopg.connect(served_url, autocommit=True) as connection:
        connection.execute("update acta.file_tasks set due = now()")

    async def gone() -> bool:
        return stored(storage) == before

    await until(gone)


async def test_what_came_too_late_is_swept_up(
    api: Files, server: Server, served_url: str, storage: Path
) -> None:
    """Bytes that a bucket took after the address had expired: nothing knows of them."""
    offer = (await api.post("/files/presigned", {"filename_download": "a.txt", "type": "text/plain"})).data
    assert await put(api, offer["url"], b"expected") == 200
    places = storage / ".incoming"
    (places / "late").write_bytes(b"late")
    (places / "young").write_bytes(b"young")
    for place in places.iterdir():
        if place.name != "young":
            os.utime(place, (0, 0))
    with running_server(served_url, "--no-followers", extra={"STORAGE_LOCAL_ROOT": str(storage)}):

        async def swept() -> bool:
            return not (places / "late").exists()

        await until(swept)
    assert len([*places.iterdir()]) == 2
    (places / "young").unlink()
    done = await api.post("/files/presigned/complete", {"token": offer["token"]})
    assert done.data["filesize"] == "8"


async def test_a_file_is_downloaded(api: Files, server: Server) -> None:
    record = await api.upload(b"for some", "a ü.txt", "text/plain")
    path = f"/files/{record['id']}/presigned"
    async with files(server, None) as nobody:
        assert (await nobody.post(path, {})).status == 403
        offer = (await api.post(path, {"expires": 60, "download": True})).data
        status, headers, content = await nobody.fetch(offer["url"])
        assert (status, content, headers["Content-Type"]) == (200, b"for some", "text/plain")
        assert headers["Content-Disposition"].startswith('attachment; filename="a ?.txt"')
        assert headers["Content-Security-Policy"] == "default-src 'none'"
        status, _, part = await nobody.fetch(offer["url"], headers={"Range": "bytes=4-7"})
        assert (status, part) == (206, b"some")
        assert (await nobody.fetch(offer["url"], "HEAD"))[0] == 200
        await api.send("PATCH", f"/files/{record['id']}", [Part("file", b"secret", "a.txt", "text/plain")])
        assert (await nobody.fetch(offer["url"]))[0] == 403
    assert (await api.post("/files/x/presigned", {})).status == 403
    assert (await api.post(path, {"expires": 10**9})).status == 400


async def test_the_rights_of_the_row_decide(api: Files, server: Server) -> None:
    record = await api.upload(b"text", "a.txt", "text/plain")
    rule = {
        "policy": READER,
        "collection": "directus_files",
        "action": "read",
        "fields": ["id"],
        "permissions": {"type": {"_eq": "text/plain"}},
    }
    made = await api.post("/permissions", rule)
    other = await api.upload(picture(10, 10), "a.jpg", "image/jpeg")
    async with files(server, None) as nobody:
        offer = (await nobody.post(f"/files/{record['id']}/presigned", {})).data
        status, headers, content = await nobody.fetch(offer["url"])
        assert (status, content) == (200, b"text")
        assert headers["Content-Disposition"] == f'inline; filename="{record["id"]}"'
        assert (await nobody.post(f"/files/{other['id']}/presigned", {})).status == 403
    await api.delete(f"/permissions/{made.data['id']}")


async def test_who_may_only_update_replaces(api: Files, server: Server) -> None:
    record = await api.upload(b"old", "a.txt", "text/plain")
    made = []
    for action in ("read", "update"):
        rule = {"policy": READER, "collection": "directus_files", "action": action, "fields": ["*"]}
        only = {"permissions": {"id": {"_eq": record["id"]}}}
        made.append((await api.post("/permissions", {**rule, **only})).data["id"])
    other = await api.upload(b"other", "b.txt", "text/plain")
    asked = {"filename_download": "a.txt", "type": "text/plain"}
    async with files(server, None) as nobody:
        assert (await nobody.post("/files/presigned", asked)).status == 403
        for key in (other["id"], str(uuid4())):
            assert (await nobody.post("/files/presigned", {**asked, "id": key})).status == 403
        offer = (await nobody.post("/files/presigned", {**asked, "id": record["id"]})).data
        assert await put(nobody, offer["url"], b"new") == 200
        done = await nobody.post("/files/presigned/complete", {"token": offer["token"]})
        assert done.data["id"] == record["id"]
    assert (await api.fetch(f"/assets/{record['id']}"))[2] == b"new"
    for key in made:
        await api.delete(f"/permissions/{key}")
