"""What files held before comes back; who holds the same is found."""

import hashlib
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from domain.access.command import Command
from projections.database import Database
from projections.files.versions import follow_rows
from projections.log.positions import last_position
from projections.time.moments import settle
from tests.files.test_uploads import left, stored
from tests.support.files import Files, Part, files, opened, picture
from tests.support.server import Server, acta, running_server
from tests.support.waiting import until

READER = "abf8a154-5b1c-4a46-ac9c-7300570f4f17"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def test_earlier_contents_are_listed_fetched_and_brought_back(api: Files, storage: Path) -> None:
    old, new = picture(60, 40), b"no picture any more"
    record = await api.upload(old, "p.jpg", "image/jpeg", title="Kept")
    path = f"/files/{record['id']}"
    await api.send("PATCH", path, [Part("file", new, "q.txt", "text/plain")])
    listed = (await api.get(f"{path}/contents")).data
    assert [(entry["sha256"], entry["filesize"]) for entry in listed] == [
        (digest(new), str(len(new))),
        (digest(old), str(len(old))),
    ]
    assert listed[0]["until"] is None
    assert listed[1]["until"] >= listed[1]["from"]
    status, headers, content = await api.fetch(f"{path}/contents/{digest(old)}")
    assert (status, content, headers["Content-Type"]) == (200, old, "image/jpeg")
    assert headers["Content-Disposition"] == 'attachment; filename="p.jpg"'
    status, _, part = await api.fetch(f"{path}/contents/{digest(new)}", headers={"Range": "bytes=3-10"})
    assert (status, part) == (206, new[3:11])
    back = await api.post(f"{path}/contents/{digest(old)}/restore", {})
    assert (back.data["type"], back.data["filename_download"], back.data["title"]) == (
        "image/jpeg",
        "p.jpg",
        "Kept",
    )
    assert (back.data["width"], back.data["filesize"]) == (60, str(len(old)))
    assert (await api.fetch(f"/assets/{record['id']}"))[2] == old
    assert opened((await api.fetch(f"/assets/{record['id']}?width=30"))[2]).size == (30, 20)
    # And forward again; what was brought back is kept once, however often it comes and goes.
    again = await api.post(f"{path}/contents/{digest(new)}/restore", {})
    assert again.data["filename_download"] == "q.txt"
    assert (await api.fetch(f"/assets/{record['id']}"))[2] == new
    versions = {name for name in stored(storage) if name.startswith(".versions/")}
    assert versions == {f".versions/{digest(one)[:2]}/{digest(one)}" for one in (old, new)}
    assert (await api.delete(path)).status == 204
    assert not {name for name in stored(storage) if name.startswith(".versions/")}


async def test_earlier_contents_that_two_files_had_outlive_one_of_them(api: Files, storage: Path) -> None:
    keys = []
    for number in range(2):
        record = await api.upload(b"shared", f"{number}.txt", "text/plain")
        keys.append(record["id"])
        await api.send("PATCH", f"/files/{record['id']}", [Part("file", b"x", "x.txt", "text/plain")])
    await api.delete(f"/files/{keys[0]}")
    assert (await api.fetch(f"/files/{keys[1]}/contents/{digest(b'shared')}"))[2] == b"shared"
    await api.delete(f"/files/{keys[1]}")
    assert not {name for name in stored(storage) if name.startswith(".versions/")}


async def test_earlier_contents_are_for_those_who_may_change_the_file(api: Files, server: Server) -> None:
    record = await api.upload(b"secret", "a.txt", "text/plain")
    path = f"/files/{record['id']}"
    await api.send("PATCH", path, [Part("file", b"public", "a.txt", "text/plain")])
    rule = {"policy": READER, "collection": "directus_files", "action": "read", "fields": ["*"]}
    made = await api.post("/permissions", rule)
    async with files(server, None) as nobody:
        assert (await nobody.fetch(f"/assets/{record['id']}"))[2] == b"public"
        for route in ("contents", f"contents/{digest(b'secret')}"):
            assert (await nobody.fetch(f"{path}/{route}"))[0] == 403, route
        assert (await nobody.post(f"{path}/contents/{digest(b'secret')}/restore", {})).status == 403
    await api.delete(f"/permissions/{made.data['id']}")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/files/{uuid4()}/contents", 403),
        ("GET", "/files/x/contents", 403),
        ("GET", "/files/KEY/contents/zz", 400),
        ("GET", f"/files/KEY/contents/{'0' * 64}", 403),
        ("POST", f"/files/KEY/contents/{'0' * 64}/restore", 403),
        ("POST", "/files/KEY/contents/zz/restore", 400),
        ("GET", "/files/duplicates?sha256=zz", 400),
        ("GET", f"/files/{uuid4()}/duplicates", 403),
    ],
)
async def test_what_is_not_there(api: Files, method: str, path: str, status: int) -> None:
    record = await api.upload(b"here", "a.txt", "text/plain")
    assert (await api.fetch(path.replace("KEY", record["id"]), method))[0] == status
    await api.delete(f"/files/{record['id']}")


async def test_duplicates(api: Files, server: Server) -> None:
    content = b"twice" * 1000
    keys = [(await api.upload(content, f"{number}.txt", "text/plain"))["id"] for number in range(3)]
    found = (await api.get(f"/files/{keys[0]}/duplicates", fields="id,filesize")).data
    assert sorted(row["id"] for row in found) == sorted(keys[1:])
    before = (await api.get("/files/duplicates", sha256=digest(content), fields="id")).data
    assert sorted(row["id"] for row in before) == sorted(keys)
    assert (await api.get("/files/duplicates", sha256=digest(b"unknown"))).data == []
    groups = (await api.get("/files/duplicates")).data
    mine = next(group for group in groups if group["sha256"] == digest(content))
    assert (sorted(mine["files"]), mine["filesize"]) == (sorted(keys), "5000")
    async with files(server, None) as nobody:
        assert (await nobody.get("/files/duplicates")).status == 403
        assert (await nobody.get(f"/files/{keys[0]}/duplicates")).status == 403
    for key in keys:
        await api.delete(f"/files/{key}")


async def test_objects_follow_rows_that_were_put_back(api: Files, served_url: str, storage: Path) -> None:
    """What a restore does: rows first, past the item writer, then the objects."""
    old, new = b"the old one", picture(30, 20, "PNG")
    record = await api.upload(old, "a.txt", "text/plain")
    young = await api.upload(b"young", "young.txt", "text/plain")
    key = record["id"]
    with psycopg.connect(served_url) as connection:
        row = connection.execute("select max(seq) from acta.events where item = %s", [key]).fetchone()
        assert row is not None
    await api.send("PATCH", f"/files/{key}", [Part("file", new, "b.png", "image/png")])
    async with await Database.open(served_url) as database, database.transaction() as connection_:
        await connection_.execute(
            "update acta.directus_files set filename_disk = id || '.txt', filesize = 11, type = 'text/plain' "
            "where id = %s",
            [key],
        )
        await connection_.execute("delete from acta.directus_files where id = %s", [young["id"]])
        lost = await follow_rows(connection_, Command.internal(), [key, young["id"]], row[0])
    assert lost == []

    async def settled() -> bool:
        return left(served_url) == 0

    await until(settled)
    assert (await api.fetch(f"/assets/{key}"))[2] == old
    assert f"{key}.png" not in stored(storage)
    assert young["filename_disk"] not in stored(storage)
    with psycopg.connect(served_url) as connection:
        told = connection.execute(
            "select meta->'content'->>'sha256' from acta.events where item = %s order by seq desc limit 1",
            [key],
        ).fetchone()
    assert told == (digest(old),)
    await api.delete(f"/files/{key}")


async def test_contents_of_deleted_files_are_kept_where_asked_for(served_url: str, storage: Path) -> None:
    extra = {"STORAGE_LOCAL_ROOT": str(storage), "ACTA_FILES_KEEP_DELETED": "1h"}
    with running_server(served_url, "--no-followers", extra=extra) as server:
        async with files(server) as api:
            record = await api.upload(b"wanted again", "a.txt", "text/plain")
            await api.delete(f"/files/{record['id']}")
            place = f".versions/{digest(b'wanted again')[:2]}/{digest(b'wanted again')}"
            assert place in stored(storage)
            assert record["filename_disk"] not in stored(storage)
    with psycopg.connect(served_url, autocommit=True) as connection:
        connection.execute("update acta.file_contents set replaced_at = now() - interval '2h'")
    with running_server(served_url, "--no-followers", extra=extra):

        async def purged() -> bool:
            return place not in stored(storage)

        await until(purged)


async def test_restores_and_undo_bring_earlier_contents_back(
    api: Files, served_url: str, storage: Path
) -> None:
    old, new = b"the old one", picture(30, 20, "PNG")
    record = await api.upload(old, "a.txt", "text/plain")
    key = record["id"]
    async with await Database.open(served_url) as database:
        await settle(database)
        async with database.connection() as connection:
            then = await last_position(connection)
    extra = {"STORAGE_LOCAL_ROOT": str(storage)}
    changed = await api.send("PATCH", f"/files/{key}", [Part("file", new, "b.png", "image/png")])
    young = await api.upload(b"young", "young.txt", "text/plain")
    assert (await api.fetch(f"/assets/{key}"))[2] == new
    done = acta(served_url, "restore", "--to", str(then), "--in-place", "--yes", extra=extra)
    assert (done.returncode, "is not kept" in done.stdout) == (0, False), done.stderr

    async def settled() -> bool:
        return left(served_url) == 0

    await until(settled)
    assert (await api.fetch(f"/assets/{key}"))[2] == old
    assert (await api.get(f"/files/{key}")).data["type"] == "text/plain"
    assert young["filename_disk"] not in stored(storage)
    # The restore is a command, and an undo brings the new contents again.
    with psycopg.connect(served_url) as database_:
        row = database_.execute(
            "select max(seq) from acta.events where item = %s and meta ? 'restore'", [key]
        ).fetchone()
    assert row is not None
    undone = await api.post("/utils/undo", {"activity": row[0], "skip": True})
    assert {"collection": "directus_files", "item": young["id"], "reason": "contents", "fields": None} in (
        undone.data["conflicts"]
    )
    await until(settled)
    assert (await api.fetch(f"/assets/{key}"))[2] == new
    assert opened((await api.fetch(f"/assets/{key}?width=15"))[2]).size == (15, 10)
    assert changed.status == 200
    await api.delete(f"/files/{key}")
