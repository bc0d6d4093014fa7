"""The library in a database of its own, made once per module; a reader and a shorthand for each test."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from domain.access.caller import Caller
from domain.access.rights import ADMINISTRATOR, Rights
from domain.model import Model
from domain.query.limits import QueryLimits
from projections.database import Database
from projections.reading.reader import Reader
from tests.support.library import ROWS, library
from tests.support.worlds import World

_numbers = count(1)
Keys = list[Any]


@dataclass
class Library:
    """A reader over the library."""

    database: Database
    reader: Reader
    model: Model

    async def list(self, collection: str, raw: Any = "", rights: Rights = ADMINISTRATOR, **more: Any) -> Any:
        """The whole answer of a list."""
        caller = more.pop("caller", Caller())
        raw = more or raw
        return json.loads(await self.reader.list(self.model, rights, caller, collection, raw))

    async def data(self, collection: str, raw: Any = "", rights: Rights = ADMINISTRATOR, **more: Any) -> Any:
        """The items of a list."""
        return (await self.list(collection, raw, rights, **more))["data"]

    async def ids(self, collection: str, filter: Mapping[str, Any], rights: Rights = ADMINISTRATOR) -> Keys:
        """The keys of the items that a filter finds."""
        rows = await self.data(
            collection, {"filter": filter, "fields": ["id"], "sort": "id", "limit": -1}, rights
        )
        return [row["id"] for row in rows]

    async def item(self, collection: str, key: str, raw: Any = "", rights: Rights = ADMINISTRATOR) -> Any:
        """One item, None if there is none."""
        answer = await self.reader.item(self.model, rights, Caller(), collection, key, raw)
        return None if answer is None else json.loads(answer)["data"]


async def fill(url: str, world: World, rows: Mapping[str, list[dict[str, Any]]]) -> None:
    """Create a world's tables and insert rows."""
    async with await psycopg.AsyncConnection.connect(
        url, autocommit=True, options="-c TimeZone=UTC"
    ) as connection:
        await world.create(connection)
        for name, entries in rows.items():
            await world.insert(connection, name, entries)


@pytest.fixture(scope="module")
def module_url(postgres_url: str) -> Iterator[str]:
    """URL of a database that the tests of a module share."""
    name = f"acta_reading_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def library_url(module_url: str) -> str:
    """URL of the library."""
    asyncio.run(fill(module_url, library(), ROWS))
    return module_url


@pytest.fixture
async def books(library_url: str) -> AsyncIterator[Library]:
    """The library, opened."""
    async with await Database.open(library_url, minimum=1, maximum=4) as database:
        yield Library(database, Reader(database, QueryLimits()), library().model())
