"""Files: a cached variant, new variants, a large upload; beside the reference and plain libvips."""

from __future__ import annotations

import http.client
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from PIL import Image

from bench import load, reference
from bench.cases import Case
from bench.client import ADMIN_TOKEN, call
from bench.databases import Databases
from bench.load import LoadError
from bench.results import Result
from bench.servers import Server, acta_server, reference_server

# New ones each time: both servers find variants of earlier runs in their storage.
PHOTO = str(uuid4())
CLIENTS = 8
PROCESSES = 2
_BOUNDARY = "----bench"
IMAGES = 80
_PLAIN = """
import sys, pyvips
for width in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):
    image = pyvips.Image.thumbnail(sys.argv[1], width, height=10_000_000, export_profile="srgb")
    image.webpsave_buffer(Q=80, effort=4, keep="none")
"""


def measure(
    postgres: str, work: Path, sides: tuple[str, ...], megabytes: int, rounds: int, say: Callable[[str], None]
) -> list[Result]:
    """All three, interleaved; the databases are replaced."""
    cached = Result("asset variant from cache", "req/s", goal_reference=15)
    fresh = Result("new variants (3000x2000 JPEG -> WebP), 8 clients", "images/s", 1, 0.9)
    upload = Result(f"upload of {megabytes} MB", "MB/s", goal_reference=1)
    memory = Result("memory added by the upload", "MB", less_is_better=True)
    with tempfile.TemporaryDirectory(prefix="acta-bench-") as folder:
        photo = Path(folder) / "photo.jpg"
        photo.write_bytes(_photo())
        servers = _servers(postgres, work, sides)
        try:
            for server in servers:
                say(f"{server.side}: starting")
                server.start()
                _send(server, photo.read_bytes(), "photo.jpg", "image/jpeg", {"id": PHOTO, "title": "Photo"})
            for number in range(rounds):
                # The same widths for all, which nobody has asked for before.
                first = 400 + number * IMAGES
                for server in servers:
                    cached.add(server.side, _cached(server, work))
                    fresh.add(server.side, _fresh(server, first))
                    rate, added = _upload(server, megabytes)
                    upload.add(server.side, rate)
                    memory.add(server.side, added)
                fresh.add("limit", _plain(photo, first))
                say(f"round {number + 1} of {rounds} done")
        finally:
            for server in servers:
                server.stop()
                shutil.rmtree(server.folder / "uploads", ignore_errors=True)
    return [cached, fresh, upload, memory]


def _servers(postgres: str, work: Path, sides: tuple[str, ...]) -> list[Server]:
    databases, found = Databases(postgres), []
    for side in sides:
        databases.prepare(side, ())
        url = databases.url(side)
        made = (
            acta_server(url, work) if side == "acta" else reference_server(reference.install(work), url, work)
        )
        made.first = "/server/ping"
        found.append(made)
    return found


def _photo() -> bytes:
    noise = Image.frombytes("L", (300, 200), os.urandom(60_000)).resize((3000, 2000))
    colours = Image.merge("RGB", (noise, Image.linear_gradient("L").resize((3000, 2000)), noise.rotate(180)))
    target = io.BytesIO()
    colours.save(target, "JPEG", quality=88)
    return target.getvalue()


def _cached(server: Server, work: Path) -> float:
    path = f"/assets/{PHOTO}?width=300&format=webp"
    if not call(server.url + path).ok:
        raise LoadError(f"{server.side} makes no variant")
    return load.rate(Case("asset_cached", "", path), server.url, 3, work)


def _fresh(server: Server, first: int) -> float:
    widths = range(first, first + IMAGES)

    def ask(width: int) -> None:
        answer = call(f"{server.url}/assets/{PHOTO}?width={width}&format=webp")
        if not answer.ok:
            raise LoadError(f"{server.side}: {answer.status} {answer.body[:200]!r}")

    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(ask, widths))
    return len(widths) / (time.perf_counter() - began)


def _plain(photo: Path, first: int) -> float:
    each = IMAGES // PROCESSES
    began = time.perf_counter()
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _PLAIN, str(photo), str(first + place * each), str(each)],
            env={"VIPS_CONCURRENCY": "1"},
        )
        for place in range(PROCESSES)
    ]
    if any(process.wait() for process in running):
        raise LoadError("plain libvips failed")
    return IMAGES / (time.perf_counter() - began)


def _upload(server: Server, megabytes: int) -> tuple[float, float]:
    """MB a second, and by how many MB the memory of the server had grown at most."""
    before = server.memory()
    peak = before
    with ThreadPoolExecutor(1) as clients:
        began = time.perf_counter()
        sending = clients.submit(_send_large, server, megabytes)
        while not sending.done():
            peak = max(peak, server.memory())
            time.sleep(0.1)
        sending.result()
        rate = megabytes / (time.perf_counter() - began)
    return rate, peak - before


def _send_large(server: Server, megabytes: int) -> None:
    piece = os.urandom(1024 * 1024)
    head, tail = _form({}, "large.bin", "application/octet-stream")

    def body() -> Iterator[bytes]:
        yield head
        for _ in range(megabytes):
            yield piece
        yield tail

    _post(server, body(), len(head) + megabytes * len(piece) + len(tail))


def _send(server: Server, content: bytes, name: str, kind: str, fields: dict[str, str]) -> None:
    head, tail = _form(fields, name, kind)
    _post(server, iter([head + content + tail]), len(head) + len(content) + len(tail))


def _form(fields: dict[str, str], name: str, kind: str) -> tuple[bytes, bytes]:
    text = "".join(
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in fields.items()
    )
    text += f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    return f"{text}Content-Type: {kind}\r\n\r\n".encode(), f"\r\n--{_BOUNDARY}--\r\n".encode()


def _post(server: Server, body: Iterator[bytes], length: int) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=600)
    headers = {
        "Authorization": f"Bearer {ADMIN_TOKEN}",
        "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
        "Content-Length": str(length),
    }
    connection.request("POST", "/files", body, headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    if response.status >= 300:
        raise LoadError(f"{server.side}: {response.status} {answer[:300]!r}")
