"""A power cut during uploads, replacements and deletions: no row without object, no object without row."""

import asyncio
import hashlib
import random
from contextlib import suppress
from pathlib import Path

import aiohttp
import psycopg
import pytest

from tests.support.files import Files, Part, files, picture
from tests.support.server import start
from tests.support.waiting import until

ROUNDS = 2
CLIENTS = 100


async def busy(api: Files, number: int) -> None:
    """Upload, replace, bring back, make variants and delete until the server is gone."""
    chance = random.Random(number)
    with suppress(aiohttp.ClientError, OSError):
        while True:
            content = chance.randbytes(chance.choice((10, 100_000, 2_000_000)))
            answer = await api.send("POST", "/files", [Part("file", content, f"{number}.bin")])
            key = answer.data["id"]
            if chance.random() < 0.5:
                await api.send("PATCH", f"/files/{key}", [Part("file", content[::-1], f"{number}.dat")])
                if chance.random() < 0.5:
                    digest = hashlib.sha256(content).hexdigest()
                    await api.post(f"/files/{key}/contents/{digest}/restore", {})
            if chance.random() < 0.3:
                await api.delete(f"/files/{key}")
            if chance.random() < 0.3:
                image = await api.upload(picture(90, 60), f"{number}.jpg", "image/jpeg")
                await api.fetch(f"/assets/{image['id']}?width={chance.randint(20, 80)}")
                if chance.random() < 0.5:
                    await api.delete(f"/files/{image['id']}")


async def under_way(served_url: str) -> None:
    """Wait until there are results as well as uploads that have none yet."""
    before = len(checksums(served_url))

    async def begun() -> bool:
        return len(checksums(served_url)) >= before + 20

    await until(begun, 100)


def expected(served_url: str) -> tuple[set[str], int]:
    """The paths that must be there, and how many tasks are left."""
    with psycopg.connect(served_url) as connection:
        rows = connection.execute(
            "select filename_disk from acta.directus_files union select path from acta.file_contents"
        ).fetchall()
        connection.execute("update acta.file_tasks set due = now()")
        left = connection.execute("select count(*) from acta.file_tasks").fetchone()
    assert left is not None
    return {row[0] for row in rows}, left[0]


def checksums(served_url: str) -> list[tuple[str, str]]:
    """The path of each object, and its checksum."""
    with psycopg.connect(served_url) as connection:
        return connection.execute("select path, sha256 from acta.file_contents").fetchall()


def stored(storage: Path) -> set[str]:
    return {str(path.relative_to(storage)) for path in storage.rglob("*") if path.is_file()}


@pytest.mark.slow
async def test_kill_9_leaves_rows_and_objects_in_step(served_url: str, storage: Path) -> None:
    extra = {"STORAGE_LOCAL_ROOT": str(storage)}
    chance = random.Random(7)
    for _ in range(ROUNDS):
        server = start(served_url, "--no-followers", extra=extra)
        async with files(server) as api:
            clients = [asyncio.create_task(busy(api, number)) for number in range(CLIENTS)]
            try:
                await under_way(served_url)
                await asyncio.sleep(chance.random() / 2)
            finally:
                server.kill()
                await asyncio.gather(*clients, return_exceptions=True)
    paths, left = expected(served_url)
    assert left, "nobody was interrupted"
    assert stored(storage) - paths, "no object was left over"
    server = start(served_url, "--no-followers", extra=extra)
    try:

        async def settled() -> bool:
            return expected(served_url)[1] == 0

        await until(settled, 60)
        paths, _ = expected(served_url)
        assert paths, "nothing was uploaded"
        there = stored(storage)
        variants = {path for path in there if "__" in path}
        assert there - variants == paths
        assert {path.partition("__")[0] for path in variants} <= {Path(path).stem for path in paths}
        for path, digest in checksums(served_url):
            assert hashlib.sha256((storage / path).read_bytes()).hexdigest() == digest, path
    finally:
        server.stop()


async def test_a_client_that_leaves_half_way_leaves_nothing(
    api: Files, served_url: str, storage: Path
) -> None:
    before = stored(storage)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(api.url.rpartition(":")[2]))
    head = (
        "POST /files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admintoken\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000000\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n'
    )
    writer.write(head.encode() + b"x" * 3_000_000)
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.close()
    del reader

    async def settled() -> bool:
        return stored(storage) == before and expected(served_url)[1] == 0

    await until(settled, 60)
