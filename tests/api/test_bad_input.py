"""Whatever is sent, the answer is the contract's, nothing is written, and the server goes on."""

import asyncio
import gzip
from contextlib import suppress

import pytest

from tests.api.conftest import raw
from tests.support.http import Client
from tests.support.server import ADMIN_TOKEN, Server

JSON = "Content-Type: application/json"
BIG = b'{"title":"' + b"a" * 10_000_000 + b'"}'


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"5",
        b'"text"',
        b"null",
        b" ",
        b'{"title": "\xff"}',
        b'{"title": "\\ud800"}',
        b'{"title": "a\\u0000b"}',
        b'{"a\\u0000": 1}',
        b'{"title": NaN}',
        b"[" * 5000,
    ],
    ids=lambda content: repr(content[:20]),
)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "SEARCH"])
async def test_bodies_that_are_refused(api: Client, method: str, content: bytes) -> None:
    before = (await api.get("/items/notes", meta="total_count", limit="0")).body["meta"]
    answer = await api.request(method, "/items/notes", content=content)
    assert answer.status == 400
    assert answer.error["code"] == "INVALID_PAYLOAD"
    assert (await api.get("/items/notes", meta="total_count", limit="0")).body["meta"] == before


async def flood(server: Server, headers: str, piece: bytes, pieces: int, path: str = "/items/notes") -> bytes:
    """Send a body that the server won't read to its end; what it answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n{headers}\r\n\r\n"
        writer.write(head.encode())
        with suppress(ConnectionError, TimeoutError):
            for _ in range(pieces):
                writer.write(piece)
                await asyncio.wait_for(writer.drain(), 5)
        with suppress(TimeoutError):
            return await asyncio.wait_for(reader.readuntil(b"}]}"), 30)
        return b""
    finally:
        writer.transport.abort()


async def test_ten_megabytes_are_refused(server: Server) -> None:
    answer = await flood(server, f"{JSON}\r\nContent-Length: 10485760", b"a" * 65_536, 160)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"INVALID_PAYLOAD" in answer


async def test_ten_megabytes_of_unknown_length_are_refused(server: Server) -> None:
    answer = await flood(
        server, f"{JSON}\r\nTransfer-Encoding: chunked", b"10000\r\n" + b"a" * 65_536 + b"\r\n", 160
    )
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"INVALID_PAYLOAD" in answer


async def test_compressed_bodies_count_unpacked(server: Server) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    for content, status in (
        (gzip.compress(b'{"title":"zip"}'), 200),
        (gzip.compress(BIG), 400),
        (b"x", 400),
        (gzip.compress(b'{"title":"cut"}')[:-12], 400),
    ):
        async with raw(server, "/items/notes", method="POST", data=content, headers=headers) as response:
            assert response.status == status, content[:20]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/items/notes", "Content-Type: application/json\r\nIdempotency-Key: unpack"),
        ("/items/notes", "Content-Type: application/json"),
        ("/graphql", "Content-Type: application/json"),
        ("/schema/diff", "Content-Type: multipart/form-data; boundary=x"),
        ("/utils/import/notes", "Content-Type: multipart/form-data; boundary=x"),
        ("/files", "Content-Type: multipart/form-data; boundary=x"),
    ],
)
async def test_what_can_not_be_unpacked_is_refused_whoever_reads_it(
    server: Server, path: str, headers: str
) -> None:
    length = "Content-Length: 10\r\nContent-Encoding: deflate"
    answer = await flood(server, f"{length}\r\n{headers}", b"no deflate", 1, path)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"INVALID_PAYLOAD" in answer


async def test_a_form_has_a_boundary(api: Client) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    answer = await api.request("POST", "/schema/diff", content=b"x", headers=headers)
    assert (answer.status, answer.error["code"]) == (400, "INVALID_PAYLOAD")


@pytest.mark.parametrize("field", ["id", "title", "nothing"])
async def test_what_can_not_be_sorted_by_is_no_sort_field(api: Client, field: str) -> None:
    await api.patch("/collections/notes", {"meta": {"sort_field": field}})
    try:
        answer = await api.post("/utils/sort/notes", {"item": 1, "to": 2})
        assert (answer.status, answer.error["code"]) == (400, "INVALID_PAYLOAD")
    finally:
        await api.patch("/collections/notes", {"meta": {"sort_field": None}})


async def test_the_vendor_of_a_snapshot_is_a_name(api: Client) -> None:
    answer = await api.post("/schema/diff", {"version": 1, "directus": "11", "vendor": {"id": "postgres"}})
    assert (answer.status, answer.error["code"]) == (400, "INVALID_PAYLOAD")


async def test_names_have_to_be_texts(api: Client) -> None:
    for body in (
        {"collection": "notes", "field": ["title"], "to": "x"},
        {"collection": ["notes"], "name": "x"},
    ):
        answer = await api.post("/schema/rename", body)
        assert (answer.status, answer.error["code"]) == (400, "INVALID_PAYLOAD")


async def test_other_media_types_are_no_body(api: Client) -> None:
    answer = await api.request(
        "POST",
        "/items/notes?fields=title",
        content=b"title=x",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.data == {"title": "-"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/items/notes/%00", 403),
        ("/items/%00", 403),
        ("/items/notes/%ff", 403),
        ("/items/tags/%00", 403),
        ("/files/%00", 403),
        ("/assets/a%00b", 403),
        ("/items/notes/99999999999999999999", 403),
        ("/items/notes/1.5", 403),
        ("/items/notes/" + "1" * 7000, 403),
        ("/items/notes?filter[title][_eq]=a%00b", 400),
        ("/items/notes?filter=%7B", 400),
        ("/items/notes?limit=abc", 400),
        ("/items/notes?limit=1&limit=2", 400),
        ("/items/notes?fields=a,,b", 400),
        ("/items/notes?search=%00", 400),
        ("/items/notes?search=%ff%fe", 200),
        ("/items/notes?export=pdf", 400),
        ("/items/notes?search=" + "a" * 30_000, 200),
        ("/items/notes?filter[" + "9" * 5000 + "]=1", 403),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_urls(server: Server, path: str, status: int) -> None:
    async with raw(server, path) as response:
        assert response.status == status, await response.text()
    async with raw(server, "/server/ping") as response:
        assert await response.text() == "pong"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"keys": [1], "query": {}},
        {"keys": "1"},
        {"keys": [None]},
        {"query": 5},
        {"keys": [1], "surplus": 1},
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_batches_that_select_nothing_definite(api: Client, method: str, body: object) -> None:
    answer = await api.request(method, "/items/notes", body)
    assert answer.status == 400
    assert answer.error["code"] == "INVALID_PAYLOAD"


async def test_an_array_holds_objects_with_their_keys(api: Client) -> None:
    for method, body in (("POST", [1]), ("PATCH", [1]), ("PATCH", [{"title": "x"}])):
        answer = await api.request(method, "/items/notes", body)
        assert answer.status == 400, (method, body)
