"""The served world with hidden things, its administrator and its limited caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.access.hidden.world import build, mallory
from tests.support.files import Files, files
from tests.support.http import client
from tests.support.people import Person
from tests.support.server import Server, running_server


@pytest.fixture(scope="module")
def server(served_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("channels")
    extra = {
        "STORAGE_LOCAL_ROOT": str(root),
        "WEBSOCKETS_ENABLED": "true",
        "TUS_ENABLED": "true",
        "LOGIN_STALL_TIME": "10",
    }
    with running_server(served_url, extra=extra) as running:
        yield running


@pytest.fixture(scope="module")
def her(server: Server) -> Person:
    async def made() -> Person:
        async with client(server) as api:
            await build(api)
            return await mallory(api)

    return asyncio.run(made())


@pytest.fixture
async def admin(server: Server, her: Person) -> AsyncIterator[Files]:
    async with files(server) as opened:
        yield opened


@pytest.fixture
async def caller(server: Server, her: Person) -> AsyncIterator[Files]:
    async with files(server, her.token) as opened:
        yield opened


@pytest.fixture
async def position(admin: Files) -> int:
    """A moment after all is there."""
    return int((await admin.get("/utils/diff", **{"from": "1"})).data["to"])
