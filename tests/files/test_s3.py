"""Files in a bucket of a real MinIO server: all that a directory does, and what happens when it is away."""

import asyncio
import hashlib
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import orjson
import psycopg
import pytest

from tests.files.test_crash import busy, checksums, expected, under_way
from tests.support.files import Files, Part, files, opened, picture
from tests.support.media import film
from tests.support.minio import BUILD_SECONDS, Bucket, running_minio
from tests.support.server import Server, acta, running_server, start
from tests.support.waiting import until

# The first of them builds the server where that has never been done.
pytestmark = pytest.mark.timeout(BUILD_SECONDS + 100)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with running_minio(tmp_path_factory.mktemp("minio")) as found:
        yield found


@pytest.fixture(scope="module")
def server(served_url: str, storage: Path, bucket: Bucket) -> Iterator[Server]:
    extra = {"STORAGE_LOCATIONS": "cloud,local", "STORAGE_LOCAL_ROOT": str(storage)}
    # What MinIO does about it is its own affair, but it must not refuse it.
    extra |= {"STORAGE_CLOUD_ACL": "private", "STORAGE_CLOUD_REGION": "us-east-1"}
    with running_server(served_url, "--no-followers", extra={**extra, **bucket.settings("cloud")}) as running:
        yield running


@pytest.fixture
async def api(server: Server, bucket: Bucket) -> AsyncIterator[Files]:
    async with files(server) as found:
        yield found


def left(served_url: str) -> int:
    with psycopg.connect(served_url) as connection:
        row = connection.execute("select count(*) from acta.file_tasks").fetchone()
        assert row is not None
        return int(row[0])


async def test_the_life_of_a_file(api: Files, bucket: Bucket, served_url: str) -> None:
    before = bucket.objects()
    old, new = picture(400, 300), picture(40, 30, "PNG")
    record = await api.upload(old, "a.jpg", "image/jpeg")
    key = record["id"]
    assert (record["storage"], record["width"], record["filesize"]) == ("cloud", 400, str(len(old)))
    assert bucket.client.get_object(bucket.name, f"some/prefix/{key}.jpg").read() == old
    status, headers, content = await api.fetch(f"/assets/{key}")
    assert (status, content, headers["Content-Length"]) == (200, old, str(len(old)))
    status, headers, content = await api.fetch(f"/assets/{key}", headers={"Range": "bytes=100-199"})
    assert (status, content) == (206, old[100:200])
    status, headers, _ = await api.fetch(f"/assets/{key}", "HEAD")
    assert (status, headers["Content-Length"]) == (200, str(len(old)))
    for _ in range(2):
        status, _, content = await api.fetch(f"/assets/{key}?width=100&format=webp")
        assert (status, opened(content).size) == (200, (100, 75))
    assert any(name.startswith(f"{key}__") for name in bucket.objects())
    await api.send("PATCH", f"/files/{key}", [Part("file", new, "b.png", "image/png")])
    assert (await api.fetch(f"/assets/{key}"))[2] == new
    digest = hashlib.sha256(old).hexdigest()
    assert bucket.objects() - before == {f"{key}.png", f".versions/{digest[:2]}/{digest}"}
    await api.patch(f"/files/{key}", {"filename_disk": "deep/x.png"})
    assert (await api.fetch(f"/assets/{key}"))[2] == new
    assert (await api.delete(f"/files/{key}")).status == 204
    assert bucket.objects() == before
    assert left(served_url) == 0


async def test_large_files_go_on_in_parts(api: Files, bucket: Bucket, storage: Path) -> None:
    content = film(5, 25_600_000)
    record = await api.upload(content, "a.mp4", "video/mp4")
    # Of which only the two ends have been looked at.
    assert record["duration"] == 5
    assert (await api.fetch(f"/assets/{record['id']}"))[2] == content
    status, _, part = await api.fetch(f"/assets/{record['id']}", headers={"Range": "bytes=20000001-20000256"})
    assert (status, part) == (206, content[20_000_001:20_000_257])
    assert list(storage.iterdir()) == []


async def test_the_services_own_client_finds_all_as_it_was_sent(
    api: Files, bucket: Bucket, tmp_path: Path
) -> None:
    sent = {"small": picture(60, 40), "in parts": bytes(range(256)) * 100_000, "empty": b""}
    place = f"tests/{bucket.name}/some/prefix"
    for name, content in sent.items():
        record = await api.upload(content, f"{name}.bin")
        path = f"{place}/{record['filename_disk']}"
        listed = orjson.loads(bucket.ask("--json", "ls", path))
        assert (listed["key"], listed["size"]) == (record["filename_disk"], len(content))
        told = orjson.loads(bucket.ask("--json", "stat", path))
        assert told["size"] == len(content)
        whole = hashlib.md5(content, usedforsecurity=False).hexdigest()
        # The service's checksum of what came in one request.
        assert (told["etag"] == whole) == (name != "in parts")
        bucket.ask("get", path, str(tmp_path / name))
        held = (await api.get(f"/files/{record['id']}/contents")).data[0]["sha256"]
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == held
        assert bucket.ask("cat", path) == content
        await api.delete(f"/files/{record['id']}")
        assert record["id"] not in bucket.ask("ls", "--recursive", f"tests/{bucket.name}").decode()
    assert bucket.ask("ls", "--incomplete", "--recursive", f"tests/{bucket.name}") == b""


async def test_several_locations_at_once(api: Files, storage: Path) -> None:
    record = await api.upload(b"here", "a.txt", "text/plain", storage="local")
    assert (storage / record["filename_disk"]).read_bytes() == b"here"
    assert (await api.fetch(f"/assets/{record['id']}"))[2] == b"here"
    await api.delete(f"/files/{record['id']}")


async def test_a_client_that_leaves_leaves_nothing(api: Files, bucket: Bucket, served_url: str) -> None:
    before = bucket.objects()
    _, writer = await asyncio.open_connection("127.0.0.1", int(api.url.rpartition(":")[2]))
    head = (
        "POST /files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admintoken\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 90000000\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n'
    )
    writer.write(head.encode() + b"x" * 25_000_000)
    await writer.drain()
    await asyncio.sleep(0.5)
    writer.close()

    async def settled() -> bool:
        unfinished = bucket.client._list_multipart_uploads(bucket.name, prefix="some/prefix/").uploads
        return bucket.objects() == before and not unfinished and left(served_url) == 0

    await until(settled)


async def test_away_and_back(api: Files, bucket: Bucket, served_url: str) -> None:
    record = await api.upload(b"there", "a.txt", "text/plain")
    before = bucket.objects()
    bucket.stop()
    try:
        sent = await api.send("POST", "/files", [Part("file", b"lost", "b.txt", "text/plain")])
        assert (sent.status, sent.error["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert sent.headers["Retry-After"]
        assert (await api.fetch(f"/assets/{record['id']}"))[0] == 503
        assert (await api.get("/files", filter={"filename_download": "b.txt"})).data == []
        assert (await api.delete(f"/files/{record['id']}")).status == 204
    finally:
        bucket.start()
    with psycopg.connect(served_url, autocommit=True) as connection:
        connection.execute("update acta.file_tasks set due = now()")

    async def settled() -> bool:
        return left(served_url) == 0

    await until(settled)
    assert bucket.objects() == before - {record["filename_disk"]}


async def test_a_bucket_that_hangs_holds_up_nobody_else(api: Files, bucket: Bucket, served_url: str) -> None:
    keys = [(await api.upload(b"x", f"{number}.txt", "text/plain"))["id"] for number in range(20)]
    assert bucket.process is not None
    bucket.process.send_signal(signal.SIGSTOP)
    try:
        deletions = [asyncio.create_task(api.delete(f"/files/{key}")) for key in keys]
        await asyncio.sleep(1)
        began = time.perf_counter()
        assert (await api.get("/folders")).status == 200
        assert (took := time.perf_counter() - began) < 10, took
    finally:
        bucket.process.send_signal(signal.SIGCONT)
    assert {answer.status for answer in await asyncio.gather(*deletions)} == {204}
    with psycopg.connect(served_url, autocommit=True) as connection:
        connection.execute("update acta.file_tasks set due = now()")

    async def settled() -> bool:
        return left(served_url) == 0

    await until(settled)


async def test_away_in_the_middle_of_an_upload_and_a_download(
    api: Files, bucket: Bucket, served_url: str
) -> None:
    content = bytes(range(256)) * 200_000
    record = await api.upload(content, "a.bin")
    before = bucket.objects()
    head = b'--b\r\nContent-Disposition: form-data; name="f"; filename="lost.bin"\r\n\r\n'

    async def body() -> AsyncIterator[bytes]:
        yield head
        for number in range(60):
            if number == 25:
                bucket.stop()
            yield bytes(2**20)
        yield b"\r\n--b--\r\n"

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    try:
        async with api.session.get(f"{api.url}/assets/{record['id']}") as response:
            assert response.status == 200
            await response.content.readexactly(1_000_000)
            async with api.session.post(f"{api.url}/files", data=body(), headers=kind) as upload:
                assert upload.status == 503
                assert upload.headers["Retry-After"]
            # What was promised can't be had any more: the connection breaks, nothing false is sent.
            with pytest.raises(aiohttp.ClientError):
                await response.content.readexactly(len(content) - 1_000_000)
        assert (await api.fetch(f"/assets/{record['id']}"))[0] == 503
        assert (await api.get("/files", filter={"filename_download": "lost.bin"})).data == []
        offer = await api.post(f"/files/{record['id']}/presigned", {})
        assert (offer.status, offer.error["code"]) == (503, "SERVICE_UNAVAILABLE")
        health = await api.get("/server/health")
        assert (health.status, health.body["status"]) == (503, "error")
        assert health.body["checks"]["storage:cloud:responseTime"][0]["status"] == "error"
        assert health.body["checks"]["storage:local:responseTime"][0]["status"] == "ok"
    finally:
        bucket.start()
    with psycopg.connect(served_url, autocommit=True) as connection:
        connection.execute("update acta.file_tasks set due = now()")

    async def settled() -> bool:
        unfinished = bucket.client._list_multipart_uploads(bucket.name, prefix="some/prefix/").uploads
        return not unfinished and left(served_url) == 0

    await until(settled)
    assert bucket.objects() == before
    assert (await api.fetch(f"/assets/{record['id']}"))[2] == content
    await api.delete(f"/files/{record['id']}")


async def test_a_bucket_gives_and_takes_bytes_itself(api: Files, bucket: Bucket, served_url: str) -> None:
    before = bucket.objects()
    content = picture(60, 40)
    asked = {"filename_download": "p.jpg", "type": "image/jpeg"}
    asked["sha256"] = hashlib.sha256(content).hexdigest()
    offer = (await api.post("/files/presigned", asked)).data
    assert offer["url"].startswith(f"http://127.0.0.1:{bucket.port}/")
    async with aiohttp.ClientSession() as anybody:
        async with anybody.put(offer["url"], data=content) as response:
            assert response.status == 200
        record = (await api.post("/files/presigned/complete", {"token": offer["token"]})).data
        assert (record["width"], record["filesize"]) == (60, str(len(content)))
        assert bucket.objects() - before == {record["filename_disk"]}
        link = (await api.post(f"/files/{record['id']}/presigned", {"download": True})).data
        assert link["url"].startswith(f"http://127.0.0.1:{bucket.port}/")
        async with anybody.get(link["url"]) as response:
            assert await response.read() == content
            assert response.headers["Content-Type"] == "image/jpeg"
            assert response.headers["Content-Disposition"] == 'attachment; filename="p.jpg"'
        async with anybody.get(link["url"].replace("X-Amz-Signature=", "X-Amz-Signature=0")) as response:
            assert response.status == 403
    assert left(served_url) == 0
    await api.delete(f"/files/{record['id']}")


async def test_earlier_contents_come_back(api: Files, bucket: Bucket, served_url: str) -> None:
    before = bucket.objects()
    record = await api.upload(b"old", "a.txt", "text/plain")
    path = f"/files/{record['id']}"
    await api.send("PATCH", path, [Part("file", b"new", "a.txt", "text/plain")])
    digest = hashlib.sha256(b"old").hexdigest()
    assert (await api.fetch(f"{path}/contents/{digest}"))[2] == b"old"
    assert (await api.post(f"{path}/contents/{digest}/restore", {})).status == 200
    assert (await api.fetch(f"/assets/{record['id']}"))[2] == b"old"
    await api.delete(path)
    assert bucket.objects() == before
    assert left(served_url) == 0


@pytest.mark.slow
async def test_kill_9_leaves_rows_and_objects_in_step(served_url: str, bucket: Bucket) -> None:
    extra = {"STORAGE_LOCATIONS": "cloud", **bucket.settings("cloud")}
    server = start(served_url, "--no-followers", extra=extra)
    async with files(server) as api:
        clients = [asyncio.create_task(busy(api, number)) for number in range(30)]
        await under_way(served_url)
        server.kill()
        await asyncio.gather(*clients, return_exceptions=True)
    server = start(served_url, "--no-followers", extra=extra)
    try:

        async def settled() -> bool:
            return expected(served_url)[1] == 0

        await until(settled, 60)
        paths, _ = expected(served_url)
        here = {name for name in bucket.objects() if "__" not in name}
        assert paths, "nothing was uploaded"
        assert here == paths
        assert not bucket.client._list_multipart_uploads(bucket.name, prefix="some/prefix/").uploads
        for path, digest in checksums(served_url):
            content = bucket.client.get_object(bucket.name, f"some/prefix/{path}").read()
            assert hashlib.sha256(content).hexdigest() == digest, path
    finally:
        server.stop()


async def test_the_log_is_archived_there_and_comes_back(
    api: Files, bucket: Bucket, served_url: str, storage: Path
) -> None:
    extra = {"STORAGE_LOCATIONS": "cloud,local", "STORAGE_LOCAL_ROOT": str(storage)}
    extra |= bucket.settings("cloud")
    key = (await api.upload(b"an event", "a.txt", "text/plain"))["id"]
    with psycopg.connect(served_url, autocommit=True) as connection:
        connection.execute("select setval('acta.events_seq_seq', 10000000)")
    await api.delete(f"/files/{key}")
    done = acta(served_url, "log", "archive", "--storage", "cloud", extra=extra)
    assert (done.returncode, "bytes each in the table" in done.stdout) == (0, True), done.stderr
    (path,) = [one for one in bucket.objects() if one.startswith(".archive/")]
    assert acta(served_url, "verify", extra=extra).returncode == 0
    told = (await api.get("/activity", **{"filter[collection]": "directus_files", "filter[item]": key})).data
    assert [one["action"] for one in told] == ["create", "delete"]
    bucket.client.remove_object(bucket.name, f"some/prefix/{path}")
    broken = acta(served_url, "verify", extra=extra)
    assert (broken.returncode, "is missing" in broken.stderr) == (1, True)
