"""Deny lists, and files from elsewhere: what may be fetched, from where, and as what."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from domain.net.addresses import Denied
from tests.support.files import Files, files
from tests.support.server import Server, running_server

DEFAULT = Denied.parse(["0.0.0.0", "169.254.169.254"])


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.8.9.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "10.1.2.3", "169.254.169.254",
     "::ffff:169.254.169.254", "2002:7f00:1::", "fe80::1%eth0", "no address"],
)  # fmt: skip
def test_own_and_listed_addresses_are_refused(address: str) -> None:
    assert DEFAULT.refuses(address, ["10.1.2.3", "fe80::1"])


def test_lists() -> None:
    denied = Denied.parse(["10.0.0.0/8", "192.168.1.5-192.168.1.9", "fd00::/8", "1.2.3.4"])
    refused = ["10.255.0.1", "192.168.1.5", "192.168.1.9", "fd12::1", "1.2.3.4", "::ffff:10.0.0.1"]
    allowed = ["11.0.0.1", "192.168.1.10", "fe00::1", "127.0.0.1", "8.8.8.8"]
    assert all(denied.refuses(address) for address in refused)
    assert not any(denied.refuses(address) for address in allowed)
    for unreadable in ("x", "10.0.0.0/99", "1.2.3.4-::1", "9-8", ""):
        assert Denied.parse(["1.2.3.4", unreadable]).refuses("8.8.8.8"), unreadable
    assert not Denied.parse([]).refuses("127.0.0.1")


async def _serve(request: web.Request) -> web.StreamResponse:
    match request.path:
        case "/My%20Pic.png" | "/My Pic.png":
            return web.Response(body=b"picture", content_type="image/png")
        case "/packed":
            response = web.Response(text="plain text", content_type="text/plain")
            response.enable_compression(web.ContentCoding.gzip)
            return response
        case "/moved":
            raise web.HTTPFound("/My%20Pic.png")
        case "/inside":
            raise web.HTTPFound("http://169.254.169.254/latest")
        case "/elsewhere":
            raise web.HTTPFound("file:///etc/passwd")
        case "/loop":
            raise web.HTTPFound("/loop")
        case "/short":
            return web.Response(body=b"x" * 10, headers={"Content-Length": "100"})
    raise web.HTTPNotFound


@pytest.fixture
async def elsewhere() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", _serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


SETTINGS = {"IMPORT_IP_DENY_LIST": "169.254.169.254", "FILES_MIME_TYPE_ALLOW_LIST": "image/*,text/plain"}


async def test_a_file_is_fetched(api: Files, elsewhere: str) -> None:
    answer = await api.post("/files/import", {"url": f"{elsewhere}/moved", "data": {"description": "d"}})
    record = answer.data
    assert record["filename_download"] == "My Pic.png"
    assert record["title"] == "My Pic.png"
    assert (record["type"], record["description"], record["filesize"]) == ("image/png", "d", "7")
    assert (await api.fetch(f"/assets/{record['id']}"))[2] == b"picture"
    again = {"url": f"{elsewhere}/packed", "data": {"id": record["id"]}}
    assert (await api.post("/files/import", again)).data["id"] == record["id"]
    assert (await api.fetch(f"/assets/{record['id']}"))[2] == b"plain text"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/missing", 503, "SERVICE_UNAVAILABLE"),
        ("/inside", 503, "SERVICE_UNAVAILABLE"),
        ("/elsewhere", 503, "SERVICE_UNAVAILABLE"),
        ("/loop", 503, "SERVICE_UNAVAILABLE"),
    ],
)
async def test_what_can_not_be_fetched(api: Files, elsewhere: str, path: str, status: int, code: str) -> None:
    answer = await api.post("/files/import", {"url": elsewhere + path})
    assert (answer.status, answer.error["code"]) == (status, code)
    assert answer.error["service"] == "external-file"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": 3},
        {"url": "http://a", "x": 1},
        {"url": "http://a", "data": []},
        {"url": "http://a", "options": {"filterMimeType": "image/*"}},
        [],
    ],
)
async def test_bad_bodies(api: Files, body: Any) -> None:
    answer = await api.post("/files/import", body)
    assert (answer.status, answer.error["code"]) == (400, "INVALID_PAYLOAD")


@pytest.mark.parametrize(
    "url", ["x", "ftp://a/b", "file:///etc/passwd", "http://", "http://no.such.host.invalid/"]
)
async def test_bad_urls(api: Files, url: str) -> None:
    answer = await api.post("/files/import", {"url": url})
    assert (answer.status, answer.error["code"]) == (503, "SERVICE_UNAVAILABLE")


async def test_types_are_filtered(api: Files, elsewhere: str) -> None:
    only = {"options": {"filterMimeType": ["text/*"]}}
    answer = await api.post("/files/import", {"url": f"{elsewhere}/moved", **only})
    assert "this field's file type restrictions" in answer.error["reason"]
    assert (await api.post("/files/import", {"url": f"{elsewhere}/packed", **only})).status == 200


async def test_by_default_this_machine_is_out_of_reach(served_url: str, elsewhere: str) -> None:
    with running_server(served_url, "--no-followers") as server:
        async with files(server) as api:
            for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1"):
                url = elsewhere.replace("127.0.0.1", host) + "/moved"
                answer = await api.post("/files/import", {"url": url})
                assert (answer.status, answer.error.get("service")) == (503, "external-file"), host


async def test_anonymous_callers_fetch_nothing(server: Server, elsewhere: str) -> None:
    async with files(server, None) as nobody:
        answer = await nobody.post("/files/import", {"url": f"{elsewhere}/moved"})
    assert (answer.status, answer.error["code"]) == (403, "FORBIDDEN")
