"""Files of others: neither what they hold nor what they are called, by no way that files are had."""

from __future__ import annotations

import base64

import pytest

from tests.access.hidden.world import HIDDEN, found
from tests.support.files import Files, files
from tests.support.people import Person
from tests.support.server import Server

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}


def metadata(**fields: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in fields.items())


async def begin(who: Files, **fields: str) -> str:
    """The path of a resumable upload."""
    described = metadata(filename_download="a.txt", **fields)
    headers = {**TUS, "Upload-Length": "3", "Upload-Metadata": described}
    status, answered, _ = await who.fetch("/files/tus", "POST", headers)
    assert status == 201
    return answered["Location"].removeprefix("/")


@pytest.fixture
async def foreign(admin: Files) -> str:
    """A file whose title the caller may change, and nothing else of it."""
    name = f"{HIDDEN['admin']}.txt"
    return str((await admin.upload(b"foreign bytes", name, "text/plain", title="shared"))["id"])


async def test_what_a_file_holds(caller: Files, foreign: str) -> None:
    for method, path, body in (
        ("GET", f"/files/{foreign}", None),
        ("GET", f"/assets/{foreign}", None),
        ("POST", f"/files/{foreign}/presigned", {}),
        ("GET", f"/files/{foreign}/contents", None),
        ("GET", f"/files/{foreign}/contents/{'0' * 64}", None),
        ("POST", f"/files/{foreign}/contents/{'0' * 64}/restore", None),
        ("GET", f"/files/{foreign}/duplicates", None),
        ("POST", "/assets/files", {"ids": [foreign]}),
        ("DELETE", f"/files/{foreign}", None),
    ):
        answer = await caller.request(method, path, body)
        assert answer.status in (400, 403), (path, answer.body)
        assert not found(answer), path
    assert not found(await caller.get("/files/duplicates"))


async def test_replacing_takes_the_right_to_all_that_changes(
    admin: Files, caller: Files, server: Server, foreign: str
) -> None:
    path = await begin(caller, id=foreign)
    assert (await caller.request("PATCH", f"/{path}", content=b"new", headers=PIECE)).status == 403
    offer = {"filename_download": "a.txt", "type": "text/plain", "id": foreign}
    offered = (await caller.post("/files/presigned", offer)).data
    put = await caller.request("PUT", offered["url"].removeprefix(server.url), content=b"new")
    assert put.status == 200
    assert (await caller.post("/files/presigned/complete", {"token": offered["token"]})).status == 403
    assert (await admin.fetch(f"/assets/{foreign}"))[2] == b"foreign bytes"


async def test_a_right_that_was_lost_meanwhile(admin: Files, caller: Files, foreign: str) -> None:
    path = await begin(caller, id=foreign)
    await admin.patch(f"/files/{foreign}", {"title": "no longer shared"})
    assert (await caller.request("PATCH", f"/{path}", content=b"new", headers=PIECE)).status == 403
    assert (await admin.fetch(f"/assets/{foreign}"))[2] == b"foreign bytes"


async def test_uploads_that_others_have_begun(admin: Files, caller: Files, server: Server) -> None:
    path = await begin(admin)
    for method in ("HEAD", "PATCH", "DELETE"):
        assert (await caller.fetch(f"/{path}", method, PIECE))[0] in (403, 404), method
    offered = await admin.post("/files/presigned", {"filename_download": "c.txt", "type": "text/plain"})
    token = offered.data["token"]
    assert (await caller.post("/files/presigned/complete", {"token": token})).status == 403
    # Such a token is no access token.
    async with files(server, None) as nobody:
        headers = {"Authorization": f"Bearer {token}"}
        assert (await nobody.request("GET", "/users/me", headers=headers)).status in (401, 403)


async def test_names_of_folders_are_for_who_may_read_them(
    admin: Files, caller: Files, server: Server, her: Person
) -> None:
    folder = (await admin.get("/folders")).data[0]["id"]
    own = await caller.upload(b"own", "own.txt", "text/plain", folder=folder)
    assert own["uploaded_by"] == her.id
    told = []
    for who in (admin, caller):
        async with who.session.post(f"{server.url}/assets/folder/{folder}", json={}) as response:
            archive = await response.read()
            assert response.status == 200, archive
            assert b"own.txt" in archive
            told.append(HIDDEN["admin"] in f"{response.headers} {archive!r}")
    assert told == [True, False]
