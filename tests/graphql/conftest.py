"""A served blog: what the tests of GraphQL over HTTP ask."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.http import Client, client
from tests.support.server import Server, running_server

SCHEMA = """
create table authors (id uuid primary key default gen_random_uuid(), name text not null);
create table posts (
    id serial primary key, title varchar(30) not null, state text not null default 'draft', hits bigint,
    price numeric(10, 2), published timestamptz, extra jsonb, author uuid references authors, bytes bytea,
    tags text[]
);
create table comments (id serial primary key, body text, post int references posts on delete cascade);
create table notes (code text primary key, body text);
insert into authors values
    ('aaaaaaaa-0000-4000-8000-000000000001', 'Ann'), ('aaaaaaaa-0000-4000-8000-000000000002', 'Bob');
insert into posts (title, hits, price, published, extra, author, bytes, tags) values
    ('One', 9007199254740993, 1.50, '2024-02-03T04:05:06Z', '[1, 2]', 'aaaaaaaa-0000-4000-8000-000000000001',
     'abc', '{x,y}'),
    ('Two', 7, 20, '2023-01-01T00:00:00Z', '{"a": null}', 'aaaaaaaa-0000-4000-8000-000000000001', null, null),
    ('Three', null, null, null, null, 'aaaaaaaa-0000-4000-8000-000000000002', null, null);
insert into comments (body, post) values ('first', 1), ('second', 1), ('third', 2);
insert into notes values ('a/b', 'slash');
"""
RELATIONS = (("posts", "author", "authors", "posts"), ("comments", "post", "posts", "comments"))


@pytest.fixture(scope="module")
def server_url(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of the blog's database."""
    name = f"acta_graphql_{os.getpid()}_{request.module.__name__.rpartition('.')[2]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        url = make_conninfo(postgres_url, dbname=name)
        with psycopg.connect(url) as own:
            own.execute(SCHEMA)
        try:
            yield url
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def server(server_url: str, request: pytest.FixtureRequest) -> Iterator[Server]:
    extra = getattr(request.module, "SETTINGS", None)
    with running_server(server_url, "--no-followers", extra=extra) as running:
        yield running


@pytest.fixture(scope="module")
def blog(server: Server) -> Server:
    """The server, with its relations named."""
    asyncio.run(relate(server))
    return server


async def relate(server: Server) -> None:
    """List posts at their authors and comments at their posts."""
    async with client(server) as api:
        for collection, field, related, alias in RELATIONS:
            made = await api.post(
                "/fields/" + related, {"field": alias, "type": "alias", "meta": {"special": ["o2m"]}}
            )
            assert made.status == 200, made.body
            body = {"collection": collection, "field": field, "related_collection": related}
            made = await api.post("/relations", {**body, "meta": {"one_field": alias}})
            if made.status != 200:
                made = await api.patch(f"/relations/{collection}/{field}", {"meta": {"one_field": alias}})
            assert made.status == 200, made.body


@pytest.fixture
async def api(blog: Server) -> AsyncIterator[Client]:
    """The administrator."""
    async with client(blog) as found:
        yield found
