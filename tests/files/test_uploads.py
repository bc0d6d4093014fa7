"""Uploads, records, replacements, deletions: what is answered and what lies in storage."""

import base64
import hashlib
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.support.files import Files, Part, files, picture
from tests.support.server import Server


def stored(storage: Path) -> set[str]:
    return {str(path.relative_to(storage)) for path in storage.rglob("*") if path.is_file()}


def left(served_url: str) -> int:
    with psycopg.connect(served_url) as connection:
        row = connection.execute("select count(*) from acta.file_tasks").fetchone()
        assert row is not None
        return int(row[0])


async def test_text_parts_describe_the_file_that_follows(api: Files) -> None:
    answer = await api.send(
        "POST",
        "/files",
        [
            Part("title", "A"),
            Part("file", b"one", "a.txt", "text/plain"),
            Part("title", "B"),
            Part("description", "dB"),
            Part("tags", '["x","y"]'),
            Part("folder", "null"),
            Part("file", b"two!", "my-cool_image file.TXT", "text/plain"),
            Part("title", "ignored"),
        ],
    )
    records = {record["title"]: record for record in answer.data}
    assert [record["id"] for record in answer.data] == sorted(record["id"] for record in answer.data)
    assert records["A"]["description"] is None
    assert records["B"]["description"] == "dB"
    assert records["B"]["tags"] == ["x", "y"]
    assert records["B"]["filesize"] == "4"
    assert records["B"]["filename_disk"] == records["B"]["id"] + ".TXT"


async def test_an_upload_is_an_event_with_checksum_and_size(api: Files, served_url: str) -> None:
    content = picture(30, 20)
    record = await api.upload(content, "p.jpg", "image/jpeg")
    with psycopg.connect(served_url) as connection:
        rows = connection.execute(
            "select topic, meta->'content' from acta.events "
            "where collection = 'directus_files' and item = %s",
            [record["id"]],
        ).fetchall()
    digest = hashlib.sha256(content).hexdigest()
    assert rows == [("item.created", {"sha256": digest, "size": len(content)})]


async def test_deleting_takes_the_object_and_all_variants(api: Files, storage: Path, served_url: str) -> None:
    before = stored(storage)
    record = await api.upload(picture(60, 40), "p.jpg", "image/jpeg", filename_disk="sub/dir/../shot.jpg")
    assert record["filename_disk"] == "sub/shot.jpg"
    for width in ("10", "20"):
        status, _, _ = await api.fetch(f"/assets/{record['id']}?width={width}")
        assert status == 200
    made = stored(storage) - before
    assert "sub/shot.jpg" in made
    assert len([name for name in made if name.startswith("shot__")]) == 2
    assert (await api.delete(f"/files/{record['id']}")).status == 204
    assert stored(storage) == before
    assert left(served_url) == 0


async def test_a_replacement_keeps_what_was_there_by_its_checksum(
    api: Files, storage: Path, served_url: str
) -> None:
    old, new = picture(60, 40), picture(30, 90, "PNG")
    record = await api.upload(old, "p.jpg", "image/jpeg", title="Kept")
    key = record["id"]
    await api.fetch(f"/assets/{key}?width=10")
    answer = await api.send("PATCH", f"/files/{key}", [Part("file", new, "q.png", "image/png")])
    assert answer.data["title"] == "Kept"
    assert answer.data["filename_download"] == "q.png"
    assert answer.data["filename_disk"] == key + ".png"
    assert (answer.data["width"], answer.data["height"]) == (30, 90)
    _, _, content = await api.fetch(f"/assets/{key}")
    assert content == new
    digest = hashlib.sha256(old).hexdigest()
    kept = storage / ".versions" / digest[:2] / digest
    assert kept.read_bytes() == old
    assert {name for name in stored(storage) if name.startswith(key)} == {key + ".png"}
    assert (await api.delete(f"/files/{key}")).status == 204
    assert not kept.exists()
    assert left(served_url) == 0


async def test_a_file_of_the_same_extension_is_replaced_in_place(api: Files, storage: Path) -> None:
    record = await api.upload(b"first", "a.txt", "text/plain", filename_disk="own name.txt")
    path = f"/files/{record['id']}"
    answer = await api.send("PATCH", path, [Part("file", b"second", "b.txt", "text/plain")])
    assert answer.data["filename_disk"] == "own name.txt"
    assert (storage / "own name.txt").read_bytes() == b"second"
    assert (await api.send("PATCH", path, [Part("title", "x")])).status == 400
    unknown = await api.send("PATCH", f"/files/{uuid4()}", [Part("file", b"x", "b.txt")])
    assert unknown.status == 403


async def test_renaming_on_disk_moves_the_object(api: Files, storage: Path) -> None:
    record = await api.upload(b"bytes", "a.txt", "text/plain")
    other = await api.upload(b"other", "b.txt", "text/plain")
    path = f"/files/{record['id']}"
    moved = await api.patch(path, {"filename_disk": "/deep/../moved/a.txt"})
    assert moved.data["filename_disk"] == "moved/a.txt"
    assert (storage / "moved/a.txt").read_bytes() == b"bytes"
    assert not (storage / record["filename_disk"]).exists()
    taken = await api.patch(path, {"filename_disk": other["filename_disk"]})
    assert taken.status == 403
    keys = [record["id"], other["id"]]
    bulk = await api.patch("/files", {"keys": keys, "data": {"filename_disk": "x"}})
    assert (bulk.status, bulk.error["code"]) == (400, "INVALID_PAYLOAD")
    assert (await api.patch(path, {"filename_disk": ".versions/x"})).status == 400


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"id": "no uuid"}, 400, "INVALID_PAYLOAD"),
        ({"storage": "nowhere"}, 400, "INVALID_PAYLOAD"),
        ({"folder": str(uuid4())}, 400, "INVALID_FOREIGN_KEY"),
        ({"filename_disk": "../../.."}, 400, "INVALID_PAYLOAD"),
        ({"filename_disk": "a\0b"}, 400, "INVALID_PAYLOAD"),
        ({"title": "x" * 300}, 400, "VALUE_TOO_LONG"),
        ({"width": "wide"}, 400, "INVALID_PAYLOAD"),
    ],
)
async def test_bad_metadata_leaves_nothing(
    api: Files, storage: Path, served_url: str, fields: dict[str, str], status: int, code: str
) -> None:
    before = stored(storage)
    parts = [Part(name, value) for name, value in fields.items()]
    answer = await api.send("POST", "/files", [*parts, Part("file", b"bytes", "a.txt", "text/plain")])
    assert (answer.status, answer.error["code"]) == (status, code), answer.body
    assert stored(storage) == before
    assert left(served_url) == 0


@pytest.mark.parametrize(
    ("sent", "download"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\temp\\\\a.txt", "a.txt"),
        ("line\u2028feed.txt", "linefeed.txt"),
        ("x" * 300 + ".png", "x" * 251 + ".png"),
        ("Übung 日本語.txt", "Übung 日本語.txt"),
    ],
)
async def test_odd_names_are_cleaned(api: Files, sent: str, download: str) -> None:
    record = await api.upload(b"", sent, "text/plain")
    assert record["filename_download"] == download
    assert record["filesize"] == "0"
    assert record["filename_disk"].startswith(record["id"])
    status, headers, content = await api.fetch(f"/assets/{record['id']}")
    assert (status, content) == (200, b"")
    assert "\n" not in headers["Content-Disposition"]


async def test_ids_and_paths_are_taken_once(api: Files, storage: Path) -> None:
    record = await api.upload(b"mine", "a.txt", "text/plain")
    again = await api.send(
        "POST", "/files", [Part("id", record["id"]), Part("file", b"yours", "a.txt", "text/plain")]
    )
    assert (again.status, again.error["code"]) == (400, "RECORD_NOT_UNIQUE")
    disk = Part("filename_disk", record["filename_disk"])
    taken = await api.send("POST", "/files", [disk, Part("file", b"yours", "a.txt", "text/plain")])
    assert (taken.status, taken.error["code"]) == (403, "FORBIDDEN")
    assert (storage / record["filename_disk"]).read_bytes() == b"mine"


async def test_what_was_at_a_place_goes_before_something_new_comes(
    api: Files, storage: Path, served_url: str
) -> None:
    (storage / "place.txt").write_bytes(b"of a file that was deleted")
    task = ("remove", "local", "place.txt")
    with psycopg.connect(served_url, autocommit=True) as connection:
        connection.execute(
            "insert into acta.file_tasks (kind, location, path, due) "
            "values (%s, %s, %s, now() + interval '1 second')",
            task,
        )
        await api.upload(b"new", "a.txt", "text/plain", filename_disk="place.txt")
        left = connection.execute(
            "select from acta.file_tasks where (kind, location, path) = (%s, %s, %s)", task
        )
        assert left.fetchall() == []
    assert (storage / "place.txt").read_bytes() == b"new"


async def test_bodies_that_are_no_form(api: Files, storage: Path) -> None:
    before = stored(storage)
    whole = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nbytes\r\n--b--\r\n'
    for body, kind in [
        (whole[:-12], "multipart/form-data; boundary=b"),
        (b"--b\r\nno headers", "multipart/form-data; boundary=b"),
        (whole, "multipart/form-data; boundary=other"),
        (whole, "multipart/form-data"),
        (b"", "multipart/form-data; boundary=b"),
    ]:
        answer = await api.request("POST", "/files", content=body, headers={"Content-Type": kind})
        assert (answer.status, answer.error["code"]) == (400, "INVALID_PAYLOAD"), (body, kind, answer.body)
    assert stored(storage) == before


async def test_checksums_of_parts(api: Files, storage: Path) -> None:
    right = base64.b64encode(hashlib.sha256(b"bytes").digest()).decode()
    for digest, status in ((right, 200), (right[::-1], 400), ("AAAA", 400)):
        before = stored(storage)
        body = (
            '--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n'
            f"Content-Digest: md5=:AAAA:, sha-256=:{digest}:\r\n\r\nbytes\r\n--b--\r\n"
        ).encode()
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = await api.request("POST", "/files", content=body, headers=kind)
        assert answer.status == status, answer.body
        assert (stored(storage) == before) == (status == 400)


async def test_records_as_json(api: Files) -> None:
    assert (await api.post("/files", {"title": "x"})).error["code"] == "INVALID_PAYLOAD"
    assert (await api.post("/files", [{"type": "a/b"}])).error["code"] == "INVALID_PAYLOAD"
    missing = await api.post("/files", {"type": "text/plain"})
    assert {error["extensions"]["field"] for error in missing.body["errors"]} == {
        "storage",
        "filename_download",
    }
    made = await api.post(
        "/files", {"type": "text/plain", "storage": "local", "filename_download": "nothing.txt"}
    )
    assert made.data["filename_disk"] is None
    assert (await api.fetch(f"/assets/{made.data['id']}"))[0] == 403


async def test_anonymous_callers_upload_nothing(server: Server, storage: Path) -> None:
    before = stored(storage)
    async with files(server, None) as nobody:
        answer = await nobody.send("POST", "/files", [Part("file", b"x" * 100_000, "a.txt")])
    assert answer.status == 403
    assert stored(storage) == before
