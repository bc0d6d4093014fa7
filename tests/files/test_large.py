"""Large files: up and down in bounded memory, to a directory and to a bucket.

The tests send 200 MB; for more (`ACTA_FILES_MEGABYTES=5000 .ci/test -rP tests/files/test_large.py`) there has
to be as much room on the disk.
"""

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.support.files import files
from tests.support.minio import BUILD_SECONDS, Bucket, running_minio
from tests.support.server import Server, running_server

MEGABYTES = int(os.environ.get("ACTA_FILES_MEGABYTES", "200"))
MOST_ADDED = 100
"""Megabytes by which the process may grow."""
PIECE = bytes(range(256)) * 4096
HEAD = b'--b\r\nContent-Disposition: form-data; name="f"; filename="large.bin"\r\n\r\n'
TAIL = b"\r\n--b--\r\n"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(BUILD_SECONDS + MEGABYTES)]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with running_minio(tmp_path_factory.mktemp("minio")) as found:
        yield found


@pytest.fixture(scope="module")
def server(served_url: str, storage: Path, bucket: Bucket) -> Iterator[Server]:
    extra = {"STORAGE_LOCATIONS": "local,cloud", "STORAGE_LOCAL_ROOT": str(storage)}
    with running_server(served_url, "--no-followers", extra={**extra, **bucket.settings("cloud")}) as running:
        yield running


class Watch:
    """The most memory that a process had while the block ran, in megabytes."""

    def __init__(self, server: Server) -> None:
        self._process = psutil.Process(server.process.pid)

    def now(self) -> float:
        return float(self._process.memory_info().rss) / 2**20

    async def __aenter__(self) -> "Watch":
        self.before = self.most = self.now()
        self._task = asyncio.create_task(self._look())
        return self

    async def _look(self) -> None:
        while True:
            self.most = max(self.most, self.now())
            await asyncio.sleep(0.05)

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    @property
    def added(self) -> float:
        return self.most - self.before


@pytest.mark.parametrize("location", ["local", "cloud"])
async def test_memory_does_not_grow_with_the_file(server: Server, storage: Path, location: str) -> None:
    digest = hashlib.sha256()

    async def body() -> AsyncIterator[bytes]:
        yield f'--b\r\nContent-Disposition: form-data; name="storage"\r\n\r\n{location}\r\n'.encode() + HEAD
        for number in range(MEGABYTES):
            piece = number.to_bytes(8, "big") + PIECE[8:]
            digest.update(piece)
            yield piece
        yield TAIL

    async with files(server) as api:
        await api.upload(b"warm", "a.bin", storage=location)
        async with Watch(server) as up:
            kind = {"Content-Type": "multipart/form-data; boundary=b"}
            timeout = aiohttp.ClientTimeout(total=None)
            async with api.session.post(
                f"{api.url}/files", data=body(), headers=kind, timeout=timeout
            ) as response:
                assert response.status == 200, await response.text()
                record = (await response.json())["data"]
        assert record["filesize"] == str(MEGABYTES * 2**20)
        got = hashlib.sha256()
        async with (
            Watch(server) as down,
            api.session.get(f"{api.url}/assets/{record['id']}", timeout=timeout) as response,
        ):
            async for chunk in response.content.iter_chunked(2**20):
                got.update(chunk)
        assert got.digest() == digest.digest()
        contents = (await api.get(f"/files/{record['id']}/contents")).data
        assert contents[0]["sha256"] == digest.hexdigest()
        # While it went to the bucket, nothing was put on the disk.
        assert bool(list(storage.glob("*.bin"))) or location == "cloud"
        await api.delete(f"/files/{record['id']}")
    sys.stdout.write(
        f"{location}: {up.before:.0f} MB, {up.added:.0f} more while {MEGABYTES} MB came, "
        f"{down.added:.0f} more while they went\n"
    )
    assert up.added < MOST_ADDED
    assert down.added < MOST_ADDED
