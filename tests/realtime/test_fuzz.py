"""Broken and malicious messages: each is answered, or ends its own socket; nothing is unexpected.

`ACTA_REALTIME_FUZZ=50000 .ci/test tests/realtime/test_fuzz.py` is the long run; `ACTA_REALTIME_SEED` begins
it elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import aiohttp
import pytest

from tests.realtime.conftest import SETTINGS
from tests.support.http import Client
from tests.support.queries import BAD_VALUES, INJECTIONS
from tests.support.server import Server, start

MESSAGES = int(os.environ.get("ACTA_REALTIME_FUZZ", "2000"))
SEED = int(os.environ.get("ACTA_REALTIME_SEED", "1"))
AT_ONCE = 6
EXTRA = {**SETTINGS, "WEBSOCKETS_REST_AUTH": "public"}
SEEDS: dict[str, list[dict[str, Any]]] = json.loads(Path(__file__).with_name("seeds.json").read_text())
_VALUES = [
    *BAD_VALUES,
    *INJECTIONS,
    "notes",
    "tags",
    "create",
    "directus_users",
    "directus_sessions",
    "x" * 3000,
]


def mutated(chance: random.Random, value: Any, others: list[Any]) -> Any:
    """A value with something in it gone, new or exchanged."""
    kind = chance.random()
    if isinstance(value, dict) and value and kind < 0.8:
        name = chance.choice(list(value))
        if kind < 0.1:
            return {key: inner for key, inner in value.items() if key != name}
        if kind < 0.2:
            other = chance.choice(others)
            return {**value, **(other if isinstance(other, dict) else {})}
        return {**value, name: mutated(chance, value[name], others)}
    if isinstance(value, list) and value and kind < 0.5:
        return [*value, mutated(chance, value[0], others)]
    if kind > 0.99:
        found: Any = 1
        for _ in range(chance.choice([20, 100, 260, 600])):
            found = chance.choice([[found], {"_or": [found]}, {"a": found}])
        return found
    return chance.choice(_VALUES)


async def speak(server: Server, chance: random.Random, path: str) -> Counter[str]:
    """Some messages over one socket, until it is closed or there were enough; what came back."""
    seen: Counter[str] = Counter()
    seeds = SEEDS[path]
    protocols = ("graphql-transport-ws",) if path.startswith("/graphql") else ()
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.url + path, protocols=protocols) as socket,
    ):

        async def listen() -> None:
            async for received in socket:
                if received.type is aiohttp.WSMsgType.TEXT:
                    frame = received.json()
                    assert isinstance(frame, dict)
                    assert "type" in frame
                    errors = frame.get("payload") if frame["type"] == "error" else [frame.get("error")]
                    for error in errors if isinstance(errors, list) else ():
                        assert "INTERNAL" not in json.dumps(error), frame
                    refused = "error" in (frame["type"], frame.get("status"))
                    seen["error" if refused else "answer"] += 1

        listening = asyncio.create_task(listen())
        await socket.send_json(seeds[0])
        for _ in range(25):
            message: Any = chance.choice(seeds)
            for _ in range(chance.choice([0, 1, 1, 2, 3])):
                message = mutated(chance, message, seeds)
            text = json.dumps(message)
            if chance.random() < 0.03:
                text = text[: chance.randrange(len(text) + 1)]
            if socket.closed:
                break
            try:
                if chance.random() < 0.02:
                    await socket.send_bytes(os.urandom(20))
                else:
                    await socket.send_str(text)
            except (aiohttp.ClientError, ConnectionError):
                break
            seen["sent"] += 1
        await asyncio.sleep(0.05)
        await socket.close()
        await listening
    return seen


@pytest.fixture(scope="module")
def stderr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server writes what nobody expected."""
    return tmp_path_factory.mktemp("realtime") / "stderr"


@pytest.fixture(scope="module")
def server(served_url: str, stderr: Path) -> Iterator[Server]:
    output: IO[bytes]
    with stderr.open("wb") as output:
        running = start(served_url, extra=EXTRA, stderr=output.fileno())
        try:
            yield running
        finally:
            if running.process.poll() is None:
                running.stop()


@pytest.mark.timeout(90 + MESSAGES // 20)
async def test_nothing_that_is_sent_is_unexpected(server: Server, api: Client, stderr: Path) -> None:
    seen: Counter[str] = Counter()

    async def work(number: int) -> None:
        chance = random.Random(SEED * 1000 + number)
        while seen["sent"] < MESSAGES:
            [path] = chance.choices(list(SEEDS), weights=(5, 4, 1))
            seen.update(await speak(server, chance, path))

    await asyncio.gather(*(work(number) for number in range(AT_ONCE)))
    assert server.process.poll() is None
    assert (await api.get("/items/notes")).status == 200
    assert "Traceback" not in stderr.read_text()
    # What only refuses would prove nothing.
    assert seen["answer"] > MESSAGES // 10, seen
    assert seen["error"] > MESSAGES // 10, seen
