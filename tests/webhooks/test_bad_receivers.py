"""Receivers that hang, lie, lead astray or die: nobody else waits, nothing is lost, the operator sees why."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from projections.webhooks.queue import DEAD_SECONDS
from tests.support.http import Client, client
from tests.support.server import Server, free_port, start
from tests.webhooks.conftest import SECRET, SETTINGS, Receiver, deliveries, hanging, make, settled


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[str]:
    """A server that sends bytes and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port := free_port())
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.close()


async def first_error(api: Client, webhook: int) -> tuple[Any, str]:
    """Status and error of the first attempt at the newest delivery."""
    for _ in range(900):
        found = await deliveries(api, webhook)
        if found and found[0]["attempts"]:
            attempt = found[0]["attempts"][0]
            return attempt["status"], attempt["error"] or ""
        await asyncio.sleep(0.05)
    raise AssertionError("nothing was tried")


async def test_one_that_hangs_holds_up_nobody(api: Client, receiver: Receiver) -> None:
    receiver.answers["/hang"] = [hanging]
    hung = await make(api, f"{receiver.url}/hang")
    await make(api, f"{receiver.url}/well")
    began = time.monotonic()
    for number in range(20):
        await api.post("/items/notes", {"num": number})
    await receiver.has("/well", 20)
    # One after the other, those that hang would have taken a minute.
    assert (took := time.monotonic() - began) < 18, took
    assert await first_error(api, hung) == (None, "no answer within 3 s")


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        (b"\x00\xff garbage\r\n\r\n", None, "Bad status line"),
        (b"", None, "ServerDisconnected"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", 200, "ClientPayloadError"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf",
            200,
            "content-encoding",
        ),
        (b"HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\n\x00\xff!", 500, ""),
        (b"HTTP/1.1 307 Go\r\nLocation: http://[bad\r\nContent-Length: 0\r\n\r\n", None, "ValueError"),
    ],
)
async def test_nonsense(api: Client, answer: bytes, status: int | None, told: str) -> None:
    async with raw_server(answer) as url:
        webhook = await make(api, url)
        await api.post("/items/notes", {"num": 1})
        found = await first_error(api, webhook)
        assert found[0] == status
        assert told in found[1]


async def test_an_endless_answer_is_not_read(api: Client, receiver: Receiver) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    receiver.answers["/endless"] = [endless]
    webhook = await make(api, f"{receiver.url}/endless")
    await api.post("/items/notes", {"num": 1})
    (told,) = await settled(api, webhook, 1, "delivered")
    assert told["response"]["body"] == "x" * 2000


async def test_redirects(api: Client, receiver: Receiver) -> None:
    elsewhere = receiver.url.replace("127.0.0.1", "localhost")
    moves = {
        "/same": (307, "/new"),
        "/other": (308, f"{elsewhere}/new-other"),
        "/found": (302, "/lost"),
        "/loop": (307, "/loop"),
        "/inside": (307, "http://10.0.0.1/latest"),
        "/file": (307, "file:///etc/passwd"),
    }

    def move(status: int, target: str) -> Any:
        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(status=status, headers={"Location": target})

        return answer

    webhooks = {}
    for path, (status, target) in moves.items():
        receiver.answers[path] = [move(status, target)]
        own = [{"header": "X-Key", "value": "secret"}]
        webhooks[path] = await make(api, receiver.url + path, secret=SECRET, headers=own)
    await api.post("/items/notes", {"num": 1})
    (same,), (other,) = await receiver.has("/new", 1), await receiver.has("/new-other", 1)
    for got in (same, other):
        assert Webhook(SECRET).verify(got.body, got.headers)["payload"] == {"num": 1}
    # What was meant for one server is no other one's business.
    assert ("x-key" in same.headers, "x-key" in other.headers) == (True, False)
    assert await first_error(api, webhooks["/found"]) == (302, "")
    assert await first_error(api, webhooks["/loop"]) == (None, "too many redirects")
    assert await first_error(api, webhooks["/inside"]) == (None, "the address is denied")
    assert await first_error(api, webhooks["/file"]) == (None, "only http and https are fetched")
    assert receiver.to("/lost") == []


async def test_addresses_that_are_denied_or_nowhere(api: Client) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = probe.getsockname()[1]
    cases = {
        "http://10.1.2.3/": "the address is denied",
        "http://[::ffff:10.1.2.3]/": "the address is denied",
        f"http://127.0.0.1:{nobody}/": "Connect",
        "http://nowhere.invalid/": "ClientConnectorDNSError",
    }
    webhooks = {told: await make(api, url) for url, told in cases.items()}
    await api.post("/items/notes", {"num": 1})
    for told, webhook in webhooks.items():
        status, error = await first_error(api, webhook)
        assert status is None
        assert told in error


async def test_one_that_asks_for_time_gets_it(api: Client, receiver: Receiver) -> None:
    async def busy(_: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "100"})

    receiver.answers["/busy"] = [busy]
    webhook = await make(api, f"{receiver.url}/busy")
    await api.post("/items/notes", {"num": 1})
    assert await first_error(api, webhook) == (429, "")
    (waiting,) = await deliveries(api, webhook)
    assert waiting["next_at"] > waiting["attempts"][0]["at"]
    await asyncio.sleep(1)
    assert len(receiver.to("/busy")) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"url": "ftp://x/"}, {"url": "http://"}, {"url": "nonsense"}, {"url": 5}, {"url": "http://h:99999/"},
        {"method": "GET IT"}, {"method": ""}, {"method": "A" * 11}, {"method": None},
        {"actions": ["create", "read"]}, {"actions": []}, {"actions": "x"}, {"actions": {}},
        {"collections": []}, {"collections": [1]}, {"collections": [""]},
        {"headers": "X: y"}, {"headers": [{"header": "X"}]},
        {"headers": [{"header": "X", "value": "a\r\nb"}]},
        {"headers": [{"header": "bad name", "value": "a"}]}, {"headers": [{"header": "Host", "value": "a"}]},
        {"headers": [{"header": "webhook-signature", "value": "a"}]}, {"headers": [3]},
        {"secret": "not base64!"}, {"secret": "whsec_"}, {"secret": "A" * 104}, {"secret": 5},
        {"filter": []}, {"filter": "x"},
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(api: Client, change: dict[str, Any]) -> None:
    (field,) = change
    values = {"name": "test", "url": "http://x/", "actions": ["create"], "collections": ["notes"]}
    refused = await api.post("/webhooks", {**values, **change})
    assert (refused.status, refused.error["code"]) == (400, "INVALID_PAYLOAD")
    assert f'"{field}"' in refused.error["reason"]
    assert (await api.get("/webhooks")).data == []


async def test_bad_questions(api: Client, receiver: Receiver) -> None:
    webhook = await make(api, receiver.url)
    for query in ({"status": "x"}, {"limit": "-1"}, {"limit": "9" * 30}, {"offset": "a"}, {"item": "\0"}):
        found = await api.get(f"/webhooks/{webhook}/deliveries", **query)
        assert (found.status, found.error["code"]) == (400, "INVALID_QUERY")
    for body in (
        {},
        {"from": "1"},
        {"from": 0},
        {"from": 2**63},
        {"from": 5, "to": 4},
        {"from": 1, "collection": 1},
    ):
        refused = await api.post(f"/webhooks/{webhook}/replays", body)
        assert (refused.status, refused.error["code"]) == (400, "INVALID_PAYLOAD")
    for path in ("999/deliveries", "x/deliveries", f"{2**40}/deliveries", f"{webhook}/deliveries/{2**70}"):
        assert (await api.get(f"/webhooks/{path}")).status == 403
    assert (await api.post(f"/webhooks/{webhook}/deliveries/1234567/redeliver", {})).status == 403


async def test_filters_that_make_no_sense_block_nobody(api: Client, receiver: Receiver) -> None:
    for number, rule in enumerate(
        [{"nosuch": {"_eq": 1}}, {"num": {"_regex": "("}}, {"_or": 5}, {"num": [[]]}]
    ):
        await make(api, f"{receiver.url}/{number}", filter=rule)
    await make(api, f"{receiver.url}/after")
    await api.post("/items/notes", {"num": 1})
    await receiver.has("/after", 1)


async def test_killed_in_the_middle(served_url: str, receiver: Receiver) -> None:
    """What was under way when everything died goes out again from the next process, and nothing is lost."""
    receiver.answers["/k"] = [hanging, hanging, hanging, 200]
    server = start(served_url, extra={**SETTINGS, "WEBHOOKS_TIMEOUT": "30"})
    try:
        async with client(server) as api:
            webhook = await make(api, f"{receiver.url}/k")
            for number in range(3):
                await api.post("/items/notes", {"num": number})
            await receiver.has("/k", 3)
        await asyncio.to_thread(server.kill)
        server = await asyncio.to_thread(start, served_url, extra=SETTINGS)
        async with client(server) as api:
            # The job of the dead process has to be noticed first.
            done = await settled(api, webhook, 3, "delivered", DEAD_SECONDS + 20)
            assert [entry["request"]["body"]["payload"]["num"] for entry in done] == [2, 1, 0]
            await api.delete(f"/webhooks/{webhook}")
    finally:
        server.stop()


async def test_another_secret(served_url: str, receiver: Receiver, server: Server) -> None:
    async with client(server) as api:
        webhook = await make(api, f"{receiver.url}/x", secret=SECRET)
        with psycopg.connect(served_url) as connection:
            connection.execute("update acta.directus_webhooks set secret = 'sealed:nonsense'")
        await api.post("/items/notes", {"num": 1})
        assert await first_error(api, webhook) == (None, "the secret was sealed with another SECRET")
        assert receiver.got == []
        await api.delete(f"/webhooks/{webhook}")
