"""A flow of all operations while all of Acta is killed again and again, and the schedules of a cluster."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
from aiohttp import web

from tests.flows.conftest import SCHEMA, SETTINGS, Steps, make_flow, said
from tests.support.http import Client, client
from tests.support.server import Server, start
from tests.support.smtp import Mailbox, mailbox

KILLS = int(os.environ.get("ACTA_FLOW_KILLS", "4"))
SECRET = "a secret of thirty-two characters"


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as found:
        yield found


@pytest.fixture
async def elsewhere() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"got": await request.json()})

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


def everything(inner: str, elsewhere: str) -> Steps:
    """Steps of all types; the last one tells what came of the others."""
    key = "{{ $trigger.key }}"
    outcome = {
        "key": key, "read": "{{ read.text }}", "twice": "{{ script.twice }}", "claims": "{{ verified.a }}",
        "asked": "{{ ask.data.got.n }}", "inner": "{{ inner }}", "refused": "{{ no.code }}",
        "shape": "{{ shape }}",
    }  # fmt: skip
    sign = {"operation": "sign", "payload": {"a": key}, "secret": SECRET}
    return [
        ("check", "condition", {"filter": {"$trigger": {"payload": {"title": {"_nnull": True}}}}}),
        ("made", "item-create", {"collection": "said", "payload": {"text": "made", "data": key}}),
        ("read", "item-read", {"collection": "said", "key": "{{ made[0] }}"}),
        (
            "change",
            "item-update",
            {"collection": "said", "key": "{{ made }}", "payload": {"text": "changed"}},
        ),
        ("extra", "item-create", {"collection": "said", "payload": {"text": "extra"}}),
        ("drop", "item-delete", {"collection": "said", "key": "{{ extra }}"}),
        ("script", "exec", {"code": "module.exports = d => ({twice: d.$trigger.key * 2})"}),
        ("token", "json-web-token", sign),
        ("verified", "json-web-token", {"operation": "verify", "token": "{{ token }}", "secret": SECRET}),
        ("say", "log", {"message": key}),
        ("letter", "mail", {"to": "reader@example.com", "subject": f"n {key}", "body": "*hello*"}),
        ("tell", "notification", {"recipient": "{{ $accountability.user }}", "subject": f"n {key}"}),
        ("ask", "request", {"method": "POST", "url": elsewhere, "body": {"n": key}}),
        ("wait", "sleep", {"milliseconds": 100}),
        ("shape", "transform", {"json": [key, "{{ tell.length }}"]}),
        ("inner", "trigger", {"flow": inner, "payload": [{"v": 1}, {"v": key}]}),
        ("no", "throw-error", {"code": "NO", "status": 422, "message": "no"}),
        ("last", "item-create", {"collection": "said", "payload": {"text": "last", "data": outcome}}),
    ]


@pytest.mark.slow
@pytest.mark.timeout(120 + 20 * KILLS)
async def test_all_operations_through_kills(database_url: str, box: Mailbox, elsewhere: str) -> None:
    """Whatever writes items is done exactly once, all else at least once, and nothing is left out."""
    with psycopg.connect(database_url) as connection:
        connection.execute(SCHEMA)
    extra = {**SETTINGS, **box.settings, "RATE_LIMITER_EMAIL_FLOWS_ENABLED": "false"}
    server = start(database_url, extra=extra)
    keys: list[int] = []
    try:
        async with client(server) as api:
            twice = [("v", "transform", {"json": {"v": "{{ $trigger.v }}"}})]
            inner = await make_flow(api, twice, trigger="operation", options={"return": "v.v"})
            options = {"type": "action", "scope": ["items.create"], "collections": ["notes"]}
            steps = everything(inner, elsewhere)
            key = await make_flow(api, steps, {"no": "last"}, trigger="event", options=options)
            keys += await notes(api, 3)
        for number in range(KILLS):
            await asyncio.sleep(random.Random(number).uniform(0.05, 1.2))
            server.kill()
            server = start(database_url, extra=extra)
            async with client(server) as api:
                keys += await notes(api, 2)
        async with client(server) as api:
            await done(api, key, keys)
        for note in keys:
            assert (await letter(box, f"n {note}")) >= 1
    finally:
        server.kill()


async def test_a_letter_outlives_its_process(database_url: str, box: Mailbox) -> None:
    """The mail server refuses for now, and Acta dies after the run is over: the letter comes later, once."""
    with psycopg.connect(database_url) as connection:
        connection.execute(SCHEMA)
    box.refusals = 1_000_000
    server = start(database_url, extra={**SETTINGS, **box.settings})
    try:
        async with client(server) as api:
            options = {"type": "action", "scope": ["items.create"], "collections": ["notes"]}
            steps: Steps = [
                ("letter", "mail", {"to": "reader@example.com", "subject": "kept", "body": "*hello*"}),
                ("last", "item-create", {"collection": "said", "payload": {"text": "written"}}),
            ]
            await make_flow(api, steps, trigger="event", options=options)
            await notes(api, 1)
            await said(api, "written", 1)
        server.kill()
        assert not box.letters
        box.refusals = 0
        server = start(database_url, extra={**SETTINGS, **box.settings})
        kept = await box.letter("reader@example.com", 60)
        assert (kept["Subject"], "<em>hello</em>" in kept.get_content()) == ("kept", True)
        for _ in range(300):
            with psycopg.connect(database_url) as connection:
                [(left,)] = connection.execute("select count(*) from acta.flow_letters").fetchall()
            if not left:
                break
            await asyncio.sleep(0.1)
        assert not left
        assert not box.letters
    finally:
        server.kill()


async def notes(api: Client, count: int) -> list[int]:
    return [(await api.post("/items/notes", {"title": "x"})).data["id"] for _ in range(count)]


async def done(api: Client, flow: str, keys: list[int]) -> None:
    """All has happened for each note."""
    last = [entry["data"] for entry in await said(api, "last", len(keys), seconds=60)]
    assert sorted(entry["key"] for entry in last) == keys
    for entry in last:
        note = entry["key"]
        assert entry == {
            "key": note, "read": "made", "twice": note * 2, "claims": note, "asked": note,
            "inner": [1, note], "refused": "NO", "shape": [note, 1],
        }  # fmt: skip
    assert sorted(entry["data"] for entry in await said(api, "changed", len(keys))) == keys
    assert await said(api, "made", 0) == await said(api, "extra", 0) == []
    told = await api.get("/notifications", fields="subject", limit=-1)
    assert sorted(entry["subject"] for entry in told.data) == sorted(f"n {note}" for note in keys)
    runs: list[Any] = []
    for _ in range(600):
        runs = (await api.get("/activity", filter={"item": flow, "action": "run"}, limit=-1)).data
        if len(runs) >= len(keys):
            break
        await asyncio.sleep(0.1)
    assert len(runs) == len(keys)


async def letter(box: Mailbox, subject: str) -> int:
    """How many letters of a subject there are; one is waited for."""
    for _ in range(600):
        found = [one for one in box.letters if one["Subject"] == subject]
        if found:
            return len(found)
        await asyncio.sleep(0.1)
    return 0


@pytest.mark.slow
async def test_a_schedule_runs_once_in_a_cluster(database_url: str) -> None:
    """Two servers, of which the first, which leads, is killed: no moment counts twice, and others follow."""
    with psycopg.connect(database_url) as connection:
        connection.execute(SCHEMA)
    servers: list[Server] = [start(database_url, extra=SETTINGS)]
    try:
        servers.append(start(database_url, extra=SETTINGS))
        async with client(servers[1]) as api:
            say = {"collection": "said", "payload": {"text": "tick"}}
            began = time.monotonic()
            options = {"cron": "* * * * * *"}
            key = await make_flow(api, [("say", "item-create", say)], trigger="schedule", options=options)
            await ticks(api, 2)
            servers[0].kill()
            before = len(await ticks(api, 0))
            await ticks(api, before + 2)
            await api.delete(f"/flows/{key}")
            await asyncio.sleep(0.6)
            took = time.monotonic() - began
            assert len(await ticks(api, 0)) <= took + 1
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.kill()


async def ticks(api: Client, count: int) -> list[Any]:
    """Wait for so many."""
    found: list[Any] = []
    for _ in range(600):
        found = (await api.get("/items/said", filter={"text": "tick"}, limit=-1)).data
        if len(found) >= count:
            break
        await asyncio.sleep(0.05)
    assert len(found) >= count
    return found
