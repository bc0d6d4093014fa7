"""One served database for each module of these tests, with two small tables of a user in it."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.http import Client, client
from tests.support.server import ADMIN_TOKEN, Server, running_server

SCHEMA = """
create table notes (id serial primary key, title varchar(20) not null default '-', body text);
create table tags (id text primary key, label text);
create table pairs (a int, b text, value text, primary key (a, b));
insert into notes (title, body) values ('first', 'one'), ('second', 'two');
insert into tags values ('a/b', 'slash'), ('c%d', 'per cent'), ('ü,{}', 'odd');
insert into pairs values (1, 'x,y', 'pair');
"""


@pytest.fixture(scope="module")
def empty_url(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"acta_api_{os.getpid()}_{request.module.__name__.rpartition('.')[2]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield make_conninfo(postgres_url, dbname=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def served_url(empty_url: str) -> str:
    with psycopg.connect(empty_url) as own:
        own.execute(SCHEMA)
    return empty_url


@pytest.fixture(scope="module")
def server(served_url: str) -> Iterator[Server]:
    with running_server(served_url, "--no-followers") as running:
        yield running


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Client]:
    """The administrator."""
    async with client(server) as found:
        yield found


@pytest.fixture
async def anonymous(server: Server) -> AsyncIterator[Client]:
    async with client(server, None) as found:
        yield found


@asynccontextmanager
async def raw(server: Server, path: str, **request: object) -> AsyncIterator[aiohttp.ClientResponse]:
    """One request with the URL exactly as given."""
    from yarl import URL

    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", **request.pop("headers", {})}  # type: ignore[dict-item]
    method = str(request.pop("method", "GET"))
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method,
            URL(server.url + path, encoded=True),
            headers=headers,
            **request,  # type: ignore[arg-type]
        ) as response,
    ):
        yield response
