"""A press of a few thousand articles: enough that PostgreSQL's choice of a plan means something."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from tests.support.worlds import World

FILL = """
INSERT INTO authors SELECT n, 'Author ' || n FROM generate_series(1, 500) n;
INSERT INTO articles SELECT n, 'Article ' || n, (ARRAY['draft', 'published'])[n % 2 + 1],
    timestamptz '2020-01-01' + n * interval '7 minutes', n % 500 + 1 FROM generate_series(1, 20000) n;
INSERT INTO comments
    SELECT n, n * 7919 % 20000 + 1, n % 500 + 1, 'Comment ' || n FROM generate_series(1, 60000) n;
CREATE INDEX ON articles (published);
CREATE INDEX ON articles (author);
CREATE INDEX ON comments (article, id);
ANALYZE authors, articles, comments;
"""


def press() -> World:
    """Authors, their articles, comments on them."""
    world = World()
    world.collection("authors", {"id": "integer", "name": "string"})
    world.collection(
        "articles",
        {
            "id": "integer",
            "title": "string",
            "status": "string",
            "published": "timestamp",
            "author": "integer",
        },
    )
    world.collection("comments", {"id": "integer", "article": "integer", "author": "integer", "body": "text"})
    world.m2o("articles", "author", "authors", "articles")
    world.m2o("comments", "article", "articles", "comments")
    world.m2o("comments", "author", "authors")
    return world


async def print_press(connection: AsyncConnection[Any]) -> None:
    """Create and fill the tables."""
    await press().create(connection)
    await connection.execute(FILL)
