"""Resumable uploads: the protocol by hand, and by its official client."""

import base64
import hashlib
from pathlib import Path

import psycopg
import pytest

from tests.support.files import Files, files, picture
from tests.support.node import node
from tests.support.server import ADMIN_TOKEN, Server

SETTINGS = {"TUS_ENABLED": "true", "FILES_MAX_UPLOAD_SIZE": "20mb"}
CLIENT = "tus-js-client@4.3.1"


def metadata(**fields: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in fields.items())


async def ask(
    api: Files, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], str]:
    sent = {"Tus-Resumable": "1.0.0"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items() if value}
    if "Tus_Resumable" in headers and not headers["Tus_Resumable"]:
        del sent["Tus-Resumable"]
    async with api.session.request(method, api.url + path, data=body or None, headers=sent) as response:
        return response.status, dict(response.headers), await response.text()


async def begin(api: Files, size: int, **fields: str) -> str:
    status, headers, text = await ask(
        api, "POST", "/files/tus", Upload_Length=str(size), Upload_Metadata=metadata(**fields)
    )
    assert status == 201, text
    assert "Upload-Expires" in headers
    return headers["Location"].removeprefix("/")


async def push(api: Files, path: str, offset: int, body: bytes) -> tuple[int, dict[str, str], str]:
    kind = "application/offset+octet-stream"
    return await ask(api, "PATCH", f"/{path}", body, Upload_Offset=str(offset), Content_Type=kind)


async def test_digits_are_not_always_numbers(api: Files) -> None:
    status, _, _ = await ask(
        api, "POST", "/files/tus", Upload_Length="\u00b2", Upload_Metadata=metadata(type="text/plain")
    )
    assert status == 400
    path = await begin(api, 5, filename_download="x", type="text/plain")
    kind = "application/offset+octet-stream"
    assert (await ask(api, "PATCH", f"/{path}", b"x", Upload_Offset="\u00b2", Content_Type=kind))[0] == 403


async def test_an_upload_in_parts(api: Files, storage: Path, served_url: str) -> None:
    content = picture(300, 200)
    path = await begin(api, len(content), filename_download="my pic.jpg", type="image/jpeg", odd="x")
    assert (await api.get("/files", filter={"filename_download": {"_eq": "my pic.jpg"}})).data == []
    half = len(content) // 2
    status, headers, _ = await push(api, path, 0, content[:half])
    assert (status, headers["Upload-Offset"]) == (204, str(half))
    status, headers, _ = await ask(api, "HEAD", f"/{path}")
    assert (status, headers["Upload-Offset"], headers["Upload-Length"]) == (200, str(half), str(len(content)))
    assert headers["Cache-Control"] == "no-store"
    assert (await push(api, path, 0, content[:half]))[0] == 409
    assert (await push(api, path, half, content))[0] == 413
    status, headers, _ = await push(api, path, half, content[half:])
    assert status == 204
    assert "Upload-Expires" not in headers
    record = (await api.get(f"/files/{headers['Directus-File-Id']}")).data
    assert (record["title"], record["width"], record["height"]) == ("My Pic.jpg", 300, 200)
    assert (record["filesize"], record["uploaded_on"], record["tus_id"]) == (str(len(content)), None, None)
    assert (await api.fetch(f"/assets/{record['id']}"))[2] == content
    assert (await ask(api, "HEAD", f"/{path}"))[0] == 404
    assert not [entry for entry in (storage / ".tus").rglob("*") if entry.is_file()]
    with psycopg.connect(served_url) as connection:
        row = connection.execute(
            "select sha256 from acta.file_contents where file = %s", [record["id"]]
        ).fetchone()
    assert row == (hashlib.sha256(content).hexdigest(),)


async def test_checksums_of_parts(api: Files) -> None:
    path = await begin(api, 6, filename_download="a.txt", type="text/plain")
    kind = {"Content_Type": "application/offset+octet-stream", "Upload_Offset": "0"}
    right = base64.b64encode(hashlib.sha256(b"abc").digest()).decode()
    for checksum, wanted in ((f"sha256 {right}=", 400), ("crc32 AAAA", 400), (f"sha1 {right}", 460)):
        status, _, text = await ask(api, "PATCH", f"/{path}", b"abc", Upload_Checksum=checksum, **kind)
        assert status == wanted, text
    assert (await ask(api, "HEAD", f"/{path}"))[1]["Upload-Offset"] == "0"
    good = {"Upload_Checksum": f"sha256 {right}", **kind}
    assert (await ask(api, "PATCH", f"/{path}", b"abc", **good))[0] == 204
    assert (await push(api, path, 3, b"def"))[0] == 204


async def test_replacing_a_file(api: Files) -> None:
    record = await api.upload(b"old", "a.txt", "text/plain", title="Kept")
    path = await begin(api, 3, filename_download="b.txt", type="text/plain", id=record["id"])
    status, headers, text = await push(api, path, 0, b"new")
    assert (status, headers.get("Directus-File-Id")) == (204, record["id"]), text
    after = (await api.get(f"/files/{record['id']}")).data
    assert (after["title"], after["filename_download"]) == ("Kept", "b.txt")
    assert (await api.fetch(f"/assets/{record['id']}"))[2] == b"new"
    assert len((await api.get("/files", filter={"filename_download": "b.txt"})).data) == 1


async def test_giving_up(api: Files, storage: Path) -> None:
    path = await begin(api, 10, filename_download="a.txt")
    await push(api, path, 0, b"12345")
    assert (await ask(api, "DELETE", f"/{path}"))[0] == 204
    assert (await ask(api, "HEAD", f"/{path}"))[0] == 404
    assert not [entry for entry in (storage / ".tus").rglob("*") if entry.is_file()]


async def test_refusals(api: Files, server: Server) -> None:
    good = metadata(filename_download="a.txt")
    cases: list[tuple[dict[str, str], int]] = [
        ({"Upload_Length": "3"}, 400),
        ({"Upload_Length": "3", "Upload_Metadata": metadata(title="x")}, 400),
        ({"Upload_Length": "3", "Upload_Metadata": "filename_download !!!"}, 400),
        ({"Upload_Length": "0", "Upload_Metadata": good}, 400),
        ({"Upload_Metadata": good}, 400),
        ({"Upload_Length": "-1", "Upload_Metadata": good}, 400),
        ({"Upload_Length": "99999999999", "Upload_Metadata": good}, 413),
        ({"Upload_Length": "3", "Upload_Metadata": good, "Tus_Resumable": ""}, 412),
        ({"Upload_Length": "3", "Upload_Metadata": metadata(filename_download="a", folder="x")}, 400),
        ({"Upload_Length": "3", "Upload_Metadata": metadata(filename_download="a", id="x")}, 403),
    ]
    for given, wanted in cases:
        status, _, text = await ask(api, "POST", "/files/tus", b"", **given)
        assert status == wanted, (given, text)
    path = await begin(api, 3, filename_download="a.txt")
    assert (await ask(api, "PATCH", f"/{path}", b"abc", Upload_Offset="0"))[0] == 400
    kind = "application/offset+octet-stream"
    assert (await ask(api, "PATCH", f"/{path}", b"abc", Content_Type=kind))[0] == 403
    async with files(server, None) as nobody:
        assert (await ask(nobody, "HEAD", f"/{path}"))[0] == 403
        assert (await ask(nobody, "POST", "/files/tus", Upload_Length="3", Upload_Metadata=good))[0] == 403
    status, headers, _ = await ask(api, "OPTIONS", "/files/tus/x")
    assert (status, headers["Tus-Max-Size"]) == (204, str(20 * 1024**2))
    assert headers["Tus-Extension"] == "creation,termination,expiration"
    uploads = (await api.get("/server/info")).data["uploads"]
    assert uploads == {"tus": True, "chunkSize": 10 * 1024**2}


async def test_large_uploads_are_refused(api: Files, storage: Path) -> None:
    before = sorted(storage.rglob("*"))
    with pytest.raises(AssertionError, match="CONTENT_TOO_LARGE"):
        await api.upload(b"x" * (21 * 1024**2), "a.bin")
    assert sorted(path for path in storage.rglob("*") if path.is_file()) == [
        path for path in before if path.is_file()
    ]


@pytest.mark.slow
async def test_the_official_client(api: Files, server: Server) -> None:
    script = Path(__file__).parent / "tus.mjs"
    done = node(CLIENT).run(script, {"ACTA_URL": server.url, "ACTA_TOKEN": ADMIN_TOKEN})
    assert done.returncode == 0, done.stdout + done.stderr
    record = (await api.get(f"/files/{done.stdout.strip()}")).data
    content = bytes(number % 251 for number in range(3_000_000))
    assert record["filesize"] == str(len(content))
    assert (await api.fetch(f"/assets/{record['id']}"))[2] == content
