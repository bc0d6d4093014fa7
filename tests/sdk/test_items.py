"""The official SDK of npm, typed, against a really started server."""

from __future__ import annotations

from pathlib import Path

import psycopg

from tests.support.http import client
from tests.support.node import TYPESCRIPT, node
from tests.support.server import ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, running_server

SDK = "@directus/sdk@26.0.0"
SCRIPT = Path(__file__).with_name("items.mts")
SCHEMA = """
create table authors (id serial primary key, name text not null, born date);
create table posts (
    id serial primary key, title text not null, status text not null default 'draft',
    views bigint not null default 0, price numeric(10, 2), published timestamptz, extra jsonb,
    author int references authors on delete set null
);
create table comments (
    id serial primary key, post int references posts on delete cascade, body text not null, likes int not null
);
create table tags (id text primary key, label text);
create table posts_tags (
    id serial primary key, post int references posts on delete cascade, tag text references tags
);
create table page (id serial primary key, headline text);
"""
LISTS = (("posts", "author", "authors", "posts"), ("comments", "post", "posts", "comments"))
JUNCTION = ("posts_tags", "post", "posts", "tags")


async def test_typed_items(database_url: str) -> None:
    packages = node(SDK, *TYPESCRIPT)
    with psycopg.connect(database_url) as connection:
        connection.execute(SCHEMA)
    with running_server(database_url) as server:
        async with client(server) as api:
            for many, field, one, alias in (*LISTS, JUNCTION):
                special = ["m2m"] if many == "posts_tags" else ["o2m"]
                body = {"field": alias, "type": "alias", "meta": {"special": special}}
                assert (await api.post(f"/fields/{one}", body)).status == 200
                meta = {"one_field": alias, **({"junction_field": "tag"} if many == "posts_tags" else {})}
                assert (await api.patch(f"/relations/{many}/{field}", {"meta": meta})).status == 200
            assert (await api.patch("/collections/page", {"meta": {"singleton": True}})).status == 200
        done = packages.run_typed(
            SCRIPT,
            {
                "ACTA_URL": server.url,
                "ACTA_TOKEN": ADMIN_TOKEN,
                "ACTA_EMAIL": ADMIN_EMAIL,
                "ACTA_PASSWORD": ADMIN_PASSWORD,
            },
        )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stdout + done.stderr
