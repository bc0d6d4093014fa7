"""The answer that a write makes itself is the one a read right after gives."""

from __future__ import annotations

import orjson
import pytest

from domain.model import RelationMeta
from domain.query.limits import QueryLimits
from projections.reading.reader import Reader
from projections.tables.writing.flat import One
from tests.support.writing import Bench

QUERIES = (
    "",
    "fields=title,views",
    "fields=*,author.name,comments.*",
    "fields=title,author.name,count(comments),year(published)&deep[comments][_limit]=1",
    "fields=author.*",
    "filter[title][_eq]=other",
    "limit=0",
    "fields=nope",
    "fields=t&alias[t]=title",
)
PAYLOAD = {
    "title": "t", "price": "1.5", "published": "2024-02-03T04:05:06+01:00", "tags": ["a"], "author": 1
}  # fmt: skip


@pytest.fixture
async def posts(bench: Bench) -> Bench:
    await bench.define(
        "",
        RelationMeta(1, "comments", "post", "posts", "comments"),
        RelationMeta(2, "posts", "author", "authors", "posts"),
    )
    await bench.create("authors", {"name": "Ann"})
    return bench


@pytest.mark.parametrize("raw", QUERIES)
async def test_create_and_update_answer_as_a_read_does(posts: Bench, raw: str) -> None:
    reader = Reader(posts.database, QueryLimits())
    command, model = posts.command, posts.model

    async def check(written: One | None) -> One:
        assert written is not None
        if raw in QUERIES[4:8]:  # these have to be read: other posts, conditions, errors
            assert written.answer is None
        else:
            read = await reader.item(model, command.rights, command.caller, "posts", written.key, raw)
            assert written.answer is not None
            assert orjson.loads(read or b"")["data"] == orjson.loads(written.answer)
        return written

    one = await check(await posts.writer.create_one(command, model, "posts", PAYLOAD, raw))
    # A new row has no comments; one that was there before may have some.
    await posts.create("comments", {"body": "b", "post": int(one.key)})
    for payload in ({"title": "u", "author": None}, {}):
        await check(await posts.writer.update_one(command, model, "posts", one.key, payload, raw))
    assert len(await posts.events("posts")) == 3
    assert await posts.differences("posts") == []


async def test_no_answer_without_an_item(posts: Bench) -> None:
    assert await posts.writer.update_one(posts.command, posts.model, "posts", "9", {"title": "u"}, "") is None
