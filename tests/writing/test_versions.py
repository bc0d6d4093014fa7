"""If-Match and Idempotency-Key: a write that must not overwrite, a request that may be sent twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from domain.access.rights import Rule
from domain.errors import ErrorGroup, Forbidden, PreconditionFailed, RequestInProgress, UnprocessableContent
from projections.database import Connection
from projections.tables.writing.idempotency import Answer, IdempotencyKeys, OnceKey
from projections.tables.writing.prepare import prepare
from tests.support.writing import Bench, limited


async def version(bench: Bench, key: int = 1) -> str:
    [(xmin,)] = await bench.sql("SELECT xmin::text FROM posts WHERE id = %s", key)
    return str(xmin)


async def write(bench: Bench, payload: dict[str, Any], *expected: str, key: str = "1") -> None:
    await bench.writer.update_one(bench.command, bench.model, "posts", key, payload, "", expected=expected)


async def test_a_write_of_an_older_version_is_refused_with_what_has_changed(bench: Bench) -> None:
    await bench.create("posts", {"title": "a"})
    first = await version(bench)
    await write(bench, {"title": "b"}, first)
    second = await version(bench)
    await bench.update("posts", [1], {"views": 5})
    for expected, fields in ((first, ["title", "views"]), (second, ["views"])):
        with pytest.raises(PreconditionFailed) as raised:
            await write(bench, {"title": "c"}, expected)
        assert raised.value.extensions == {"collection": "posts", "item": "1", "fields": fields}
    with pytest.raises(PreconditionFailed):
        await bench.writer.delete(bench.command, bench.model, "posts", ["1"], expected=(second,))
    await write(bench, {"title": "c"}, first, await version(bench))
    await write(bench, {"title": "d"}, "*")
    last = (await version(bench),)
    assert await bench.writer.delete(bench.command, bench.model, "posts", ["1"], expected=last) == ["1"]
    with pytest.raises(PreconditionFailed):
        await write(bench, {"title": "d"}, "*")


async def test_a_write_past_acta_is_seen_too(bench: Bench) -> None:
    await bench.create("posts", {"title": "a"})
    first = await version(bench)
    await bench.sql("UPDATE posts SET title = 'x'")
    foreign = await version(bench)
    with pytest.raises(PreconditionFailed) as raised:
        await write(bench, {"title": "b"}, first)
    assert raised.value.extensions["fields"] == []
    await write(bench, {"title": "b", "views": 3}, foreign)
    with pytest.raises(PreconditionFailed) as raised:
        await write(bench, {"title": "c"}, foreign)
    assert raised.value.extensions["fields"] == ["title", "views"]


async def test_of_writers_with_one_version_one_wins(bench: Bench) -> None:
    await bench.create("posts", {"title": "a"})
    first = await version(bench)
    outcomes = await asyncio.gather(
        *(write(bench, {"views": n}, first) for n in range(6)), return_exceptions=True
    )
    assert sum(isinstance(outcome, PreconditionFailed) for outcome in outcomes) == 5


async def test_nested_writes_are_held_to_the_version_of_their_root(bench: Bench) -> None:
    await bench.create("posts", {"title": "a"})
    first = await version(bench)
    await write(bench, {"title": "b", "author": {"name": "A"}}, first)
    with pytest.raises(PreconditionFailed) as raised:
        await write(bench, {"author": {"name": "B"}}, first)
    assert raised.value.extensions["fields"] == ["author", "title"]
    assert await bench.sql("SELECT count(*) FROM authors") == [(1,)]


async def test_a_refusal_tells_nothing_that_the_caller_may_not_know(bench: Bench) -> None:
    await bench.create("posts", {"title": "a", "views": 1}, {"title": "b", "views": 2})
    rights = limited(
        ("posts", "read", Rule(frozenset({"id", "title"}))),
        ("posts", "update", Rule(frozenset({"title"}), {"views": {"_eq": 9}})),
    )
    first = await version(bench)
    await bench.update("posts", [1], {"views": 9, "title": "z"})
    some = replace(bench, command=replace(bench.command, rights=rights))
    with pytest.raises(PreconditionFailed) as raised:
        await write(some, {"title": "c"}, first)
    assert raised.value.extensions["fields"] == ["title"]
    # An item that is not there and one that is not permitted are refused with the same words.
    refusals = []
    for key in ("2", "77"):
        with pytest.raises(Forbidden) as refused:
            await write(some, {"title": "c"}, first, key=key)
        refusals.append((type(refused.value), refused.value.args))
    assert refusals[0] == refusals[1]


# -- Idempotency-Key ---------------------------------------------------------------------------------------


def once_key(name: str = "k", content: bytes = b"body", actor: str = "u") -> OnceKey:
    return OnceKey(actor, name, content)


@pytest.fixture
async def keys(bench: Bench) -> IdempotencyKeys:
    await prepare(bench.database)
    return IdempotencyKeys(bench.database)


async def create(bench: Bench, connection: Connection, payload: dict[str, Any] | None = None) -> list[str]:
    payloads = [{"name": "A"} if payload is None else payload]
    return await bench.writer.create(bench.command, bench.model, "authors", payloads, connection=connection)


async def test_the_same_key_writes_once_and_answers_the_same(bench: Bench, keys: IdempotencyKeys) -> None:
    key, answer = once_key(), Answer(200, b'{"data":1}')
    assert await keys.find(key) is None
    for _ in range(2):
        assert await keys.once(key, lambda connection: create(bench, connection)) == ["1"]
    assert await keys.find(key) is None
    assert await keys.keep(key, answer) is answer
    assert await keys.keep(key, Answer(200, b"later")) == answer
    assert await keys.find(key) == answer
    for refused in (keys.find, lambda key: keys.once(key, lambda _: create(bench, _))):
        with pytest.raises(UnprocessableContent):
            await refused(once_key(content=b"another"))
    assert await keys.find(once_key(actor="other", content=b"another")) is None
    assert await bench.sql("SELECT count(*) FROM authors") == [(1,)]


async def test_keys_live_a_day(bench: Bench, keys: IdempotencyKeys) -> None:
    await keys.once(once_key(), lambda connection: create(bench, connection))
    await keys.keep(once_key(), Answer(204, b""))
    await bench.sql("UPDATE acta.idempotency SET at = now() - interval '25 hours'")
    assert await keys.find(once_key()) is None
    assert await keys.once(once_key(content=b"new"), lambda connection: create(bench, connection)) == ["2"]
    assert await keys.find(once_key(content=b"new")) is None
    await bench.sql("UPDATE acta.idempotency SET at = now() - interval '25 hours'")
    assert await keys.forget() == 1


async def test_a_refused_request_leaves_its_key_free(bench: Bench, keys: IdempotencyKeys) -> None:
    with pytest.raises(ErrorGroup):
        await keys.once(once_key(), lambda connection: create(bench, connection, {"name": None}))
    assert await keys.once(once_key(), lambda connection: create(bench, connection)) != []


async def test_a_second_request_does_not_wait_for_the_first(bench: Bench, keys: IdempotencyKeys) -> None:
    began, go = asyncio.Event(), asyncio.Event()

    async def slow(connection: Connection) -> list[str]:
        items = await create(bench, connection)
        began.set()
        await go.wait()
        return items

    first = asyncio.create_task(keys.once(once_key(), slow))
    await began.wait()
    with pytest.raises(RequestInProgress):
        await keys.once(once_key(), lambda connection: create(bench, connection))
    go.set()
    assert await first == await keys.once(once_key(), slow)
    assert await bench.sql("SELECT count(*) FROM authors") == [(1,)]


async def test_of_many_at_once_one_writes(bench: Bench, keys: IdempotencyKeys) -> None:
    outcomes = await asyncio.gather(
        *(keys.once(once_key(), lambda connection: create(bench, connection)) for _ in range(8)),
        return_exceptions=True,
    )
    assert all(outcome == ["1"] or isinstance(outcome, RequestInProgress) for outcome in outcomes)
    assert await bench.sql("SELECT count(*) FROM authors") == [(1,)]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0"])
def test_wrong_keys(key: str) -> None:
    with pytest.raises(UnprocessableContent):
        once_key(key)
