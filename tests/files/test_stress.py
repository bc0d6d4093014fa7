"""What would bring a server down: bombs, a crowd that wants a huge image, a full disk."""

import asyncio
import io
import json
import resource
import statistics
import struct
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.files.test_crash import expected, stored
from tests.files.test_tus import begin, push
from tests.support.files import Files, Part, files, picture
from tests.support.server import Server, running_server
from tests.support.waiting import until

SETTINGS = {"ASSETS_TRANSFORM_IMAGE_MAX_DIMENSION": "12000"}
CROWD = 200
MOST_MEGABYTES = 1500
"""All processes of the server together, while they work on 100 megapixels."""


def bomb(side: int) -> bytes:
    """A black PNG of ``side`` by ``side`` pixels, a thousandth of their size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def frames(side: int, number: int) -> bytes:
    """An animation of one colour a frame."""
    images = [Image.new("P", (side, side), shade) for shade in range(number)]
    target = io.BytesIO()
    images[0].save(target, "GIF", save_all=True, append_images=images[1:], duration=50)
    return target.getvalue()


def family(server: Server) -> list[psutil.Process]:
    process = psutil.Process(server.process.pid)
    return [process, *process.children(recursive=True)]


def megabytes(server: Server) -> float:
    total = 0
    for process in family(server):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20


@pytest.mark.parametrize(
    ("content", "statuses"), [(bomb(30_000), (400, 400, 400)), (frames(4000, 12), (400, 200, 400))]
)
async def test_bombs_are_refused_before_they_are_decoded(
    api: Files, server: Server, content: bytes, statuses: tuple[int, int, int]
) -> None:
    assert len(content) < 3_000_000
    record = await api.upload(content, "bomb.webp", "image/webp")
    # With sides that somebody claims it has, it gets as far as the decoder.
    await api.patch(f"/files/{record['id']}", {"width": 100, "height": 100})
    before = megabytes(server)
    # Of an animation, the first frame alone is small enough.
    for query, wanted in zip(("width=50&format=webp", "format=png", "quality=50"), statuses, strict=True):
        status, _, body = await api.fetch(f"/assets/{record['id']}?{query}")
        assert status == wanted, query
        if status == 400:
            code = json.loads(body)["errors"][0]["extensions"]["code"]
            assert code == "ILLEGAL_ASSET_TRANSFORMATION"
    assert megabytes(server) - before < 300


class Light:
    """Somebody else, who reads items all the while: seconds that an answer takes."""

    def __init__(self, api: Files) -> None:
        self._api = api

    async def median(self, requests: int) -> float:
        times = []
        for _ in range(requests):
            began = time.perf_counter()
            assert (await self._api.get("/folders", limit="5")).status == 200
            times.append(time.perf_counter() - began)
            await asyncio.sleep(0.02)
        return statistics.median(times)


@pytest.mark.slow
async def test_a_crowd_that_wants_variants_of_a_huge_image(
    api: Files, server: Server, served_url: str, storage: Path
) -> None:
    before = stored(storage)
    record = await api.upload(picture(10_000, 10_000, quality=60), "huge.jpg", "image/jpeg")
    path = f"/assets/{record['id']}"
    light = Light(api)
    alone = await light.median(60)
    most = 0.0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, megabytes(server))
            await asyncio.sleep(0.1)

    async def ask(width: int) -> tuple[int, bool]:
        status, headers, _ = await api.fetch(f"{path}?width={width}&format=webp")
        return status, "Retry-After" in headers

    watching = asyncio.create_task(watch())
    asking = [asyncio.create_task(ask(width)) for width in range(300, 300 + CROWD)]
    try:
        meanwhile = min([await light.median(20) for _ in range(3)])
        answers = await asyncio.gather(*asking)
    finally:
        watching.cancel()
    # What else the machine does may have begun meanwhile.
    alone = max(alone, await light.median(60))
    # Who is answered at all is answered well; the others are told when to come back.
    assert {status for status, _ in answers} == {200, 503}
    assert all(retry for status, retry in answers if status == 503)
    assert (await api.fetch(f"{path}?width=300&format=webp"))[0] == 200
    assert most < MOST_MEGABYTES, f"{most:.0f} MB"
    # "Slowed by at most half": a bit of room for what the machine itself does.
    assert meanwhile < 2 * alone + 0.05, f"{alone * 1000:.1f} ms alone, {meanwhile * 1000:.1f} ms meanwhile"
    assert (await api.delete(f"/files/{record['id']}")).status == 204
    assert stored(storage) == before
    assert expected(served_url)[1] == 0


async def test_a_full_disk(api: Files, server: Server, served_url: str, storage: Path) -> None:
    small = await api.upload(picture(600, 400, "PNG"), "a.png", "image/png")
    before = stored(storage)
    old = {process.pid: process.rlimit(psutil.RLIMIT_FSIZE) for process in family(server)}
    try:
        # Files can't become larger than this, which is what a full disk looks like to a process.
        for pid in old:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1_000_000, old[pid][1]))
        sent = await api.send("POST", "/files", [Part("file", bytes(3_000_000), "big.bin")])
        assert (sent.status, sent.error["code"]) == (503, "SERVICE_UNAVAILABLE"), sent.body
        assert sent.headers["Retry-After"]
        replaced = await api.send(
            "PATCH", f"/files/{small['id']}", [Part("file", bytes(3_000_000), "big.png", "image/png")]
        )
        assert replaced.status == 503
        assert (await api.fetch(f"/assets/{small['id']}"))[0] == 200
        assert (await api.upload(b"little", "b.txt", "text/plain"))["filesize"] == "6"
    finally:
        for pid, limit in old.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
    assert len(stored(storage) - before) == 1
    assert stored(storage) >= before
    assert expected(served_url)[1] == 0
    assert (await api.upload(bytes(3_000_000), "big.bin"))["filesize"] == "3000000"


async def test_clients_that_leave_while_they_download(api: Files, server: Server) -> None:
    record = await api.upload(bytes(20_000_000), "big.bin")
    open_before = psutil.Process(server.process.pid).num_fds()
    for _ in range(10):
        response = await api.session.get(f"{api.url}/assets/{record['id']}")
        await response.content.read(1000)
        response.close()

    async def closed() -> bool:
        return psutil.Process(server.process.pid).num_fds() <= open_before + 3

    await until(closed)
    assert len((await api.fetch(f"/assets/{record['id']}"))[2]) == 20_000_000


async def test_a_browser_that_seeks_in_a_film(api: Files) -> None:
    """The requests of a player: the beginning, the index at the end, then from where somebody clicks."""
    content = bytes(range(256)) * 20_000
    record = await api.upload(content, "film.mp4", "video/mp4")
    path, size = f"/assets/{record['id']}", len(content)
    _, headers, _ = await api.fetch(path, "HEAD")
    assert (headers["Accept-Ranges"], headers["Content-Length"]) == ("bytes", str(size))

    async def some(start: int) -> AsyncIterator[bytes]:
        wanted = {"Range": f"bytes={start}-", "If-Range": headers["ETag"]}
        async with api.session.get(api.url + path, headers=wanted) as response:
            assert response.status == 206
            assert response.headers["Content-Range"] == f"bytes {start}-{size - 1}/{size}"
            assert response.headers["Content-Type"] == "video/mp4"
            # As players do: read a bit and hang up.
            yield await response.content.readexactly(100_000)

    for start in (0, size - 200_000, size // 2, 1234, size // 3):
        async for piece in some(start):
            assert piece == content[start : start + 100_000]


async def test_one_connection_to_the_database_is_enough(served_url: str, storage: Path) -> None:
    """Who waits for a second one while he has the first waits for ever, once all have one."""
    extra = {"STORAGE_LOCAL_ROOT": str(storage), "TUS_ENABLED": "true"}
    extra |= {"DB_POOL__MIN": "1", "DB_POOL__MAX": "1"}
    with running_server(served_url, "--no-followers", extra=extra) as small:
        async with files(small) as api:
            old, new = picture(60, 40), picture(40, 60)
            record = await api.upload(old, "a.jpg", "image/jpeg")
            path = f"/files/{record['id']}"
            assert (await api.fetch(f"/assets/{record['id']}?width=20"))[0] == 200
            replaced = await api.send("PATCH", path, [Part("file", new, "a.jpg", "image/jpeg")])
            assert replaced.status == 200
            kept = (await api.get(f"{path}/contents")).data[1]["sha256"]
            assert (await api.post(f"{path}/contents/{kept}/restore", {})).status == 200
            assert (await api.patch(path, {"filename_disk": "elsewhere.jpg"})).status == 200
            begun = await begin(api, 6, filename_download="b.txt", type="text/plain")
            assert (await push(api, begun, 0, b"resume"))[0] == 204
            offer = (await api.post("/files/presigned", {"filename_download": "c.txt"})).data
            async with api.session.put(api.url + offer["url"], data=b"given") as response:
                assert response.status == 200
            done = await api.post("/files/presigned/complete", {"token": offer["token"]})
            assert done.data["filesize"] == "5"
            assert (await api.delete(path)).status == 204
