"""Action hooks and kills: every event is told, and hooks that set themselves off come to an end."""

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.extensions.conftest import SCHEMA
from tests.support.http import Client, client
from tests.support.server import start


@pytest.mark.slow
async def test_actions_outlive_kills(database_url: str, settings: dict[str, str], tmp_path: Path) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(SCHEMA)
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        server = start(database_url, extra=settings, stderr=stderr)
        try:
            keys: list[int] = []
            for _ in range(2):
                async with client(server) as api:
                    body = [{"title": "x"} for _ in range(30)]
                    keys += [entry["id"] for entry in (await api.post("/items/bad", body)).data]
                    await rows(api, f"bad.items.create {keys[-20]}", 1)
                server.kill()
                server = start(database_url, extra=settings, stderr=stderr)
            async with client(server) as api:
                for key in keys:
                    assert await rows(api, f"bad.items.create {key}", 1)
                await api.post("/items/echoes", {"text": "again"})
                async with asyncio.timeout(60):
                    while "hooks are not told of directus_revisions" not in log.read_text():
                        await asyncio.sleep(0.1)
                again = await api.get("/items/echoes", filter={"text": {"_starts_with": "again"}}, limit=-1)
                assert len(again.data) == 21
                await api.post("/items/bad", {"title": "ping"})
                async with asyncio.timeout(60):
                    while "hooks are not told of bad" not in log.read_text():
                        await asyncio.sleep(0.1)
                pings = await api.get("/items/bad", filter={"title": "ping"}, limit=-1)
                assert len(pings.data) == 21
        finally:
            server.kill()


async def rows(api: Client, text: str, count: int) -> list[Any]:
    """Wait until a line of the news log is there so often."""
    for _ in range(600):
        found: list[Any] = (await api.get("/items/news_log", filter={"text": text}, limit=-1)).data
        if len(found) >= count:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(text)
