"""If-Match and Idempotency-Key: a write that must not overwrite, a request that may be sent twice."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from domain.errors import PreconditionFailed, RequestInProgress, UnprocessableContent
from projections.tables.writing.idempotency import Answer, Claim, IdempotencyKeys
from projections.tables.writing.prepare import prepare
from tests.support.writing import Bench


async def test_a_version_is_the_last_event(bench: Bench) -> None:
    await bench.create("posts", {"title": "a"})
    first = await bench.writer.version(bench.model, "posts", "1")
    assert [(first,)] == await bench.sql("SELECT seq FROM acta.events")
    assert await bench.writer.version(bench.model, "posts", "9") is None
    writer, command, model = bench.writer, bench.command, bench.model
    assert await writer.update_one(command, model, "posts", "1", {"title": "b"}, "", expected=first)
    await bench.update("posts", [1], {"views": 5})
    with pytest.raises(PreconditionFailed) as raised:
        await writer.update_one(command, model, "posts", "1", {"title": "c"}, "", expected=first)
    current = await writer.version(model, "posts", "1")
    assert raised.value.extensions == {
        "collection": "posts", "item": "1", "fields": ["title", "views"], "version": current
    }  # fmt: skip
    with pytest.raises(PreconditionFailed):
        await writer.delete(command, model, "posts", ["1"], expected=first)
    assert await writer.delete(command, model, "posts", ["1"], expected=current) == ["1"]


async def test_of_two_writers_with_one_version_one_wins(bench: Bench) -> None:
    await bench.create("posts", {"title": "a"})
    version = await bench.writer.version(bench.model, "posts", "1")
    outcomes = await asyncio.gather(
        *(
            bench.writer.update_one(
                bench.command, bench.model, "posts", "1", {"views": n}, "", expected=version
            )
            for n in range(6)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, PreconditionFailed) for outcome in outcomes) == 5


async def test_the_same_key_gives_the_same_answer(bench: Bench) -> None:
    await prepare(bench.database)
    keys = IdempotencyKeys(bench.database)
    claim = await keys.claim("u", "k", b"body", uuid4())
    assert isinstance(claim, Claim)
    with pytest.raises(RequestInProgress):
        await keys.claim("u", "k", b"body", uuid4())
    await keys.settle(claim, 200, b'{"data":1}')
    assert await keys.claim("u", "k", b"body", uuid4()) == Answer(200, b'{"data":1}')
    with pytest.raises(UnprocessableContent):
        await keys.claim("u", "k", b"another", uuid4())
    assert isinstance(await keys.claim("other", "k", b"another", uuid4()), Claim)
    await bench.sql("UPDATE acta.idempotency SET at = now() - interval '25 hours'")
    assert isinstance(await keys.claim("u", "k", b"another", uuid4()), Claim)
    assert await keys.forget() == 1


async def test_a_refused_request_gives_its_key_back(bench: Bench) -> None:
    await prepare(bench.database)
    keys = IdempotencyKeys(bench.database)
    claim = await keys.claim("u", "k", b"body", uuid4())
    assert isinstance(claim, Claim)
    await keys.settle(claim, 400, b"no")
    assert isinstance(await keys.claim("u", "k", b"body", uuid4()), Claim)


async def test_a_dead_request_is_taken_over_unless_it_wrote(bench: Bench) -> None:
    await prepare(bench.database)
    keys = IdempotencyKeys(bench.database, patience=0.0)
    assert isinstance(await keys.claim("u", "dead", b"body", uuid4()), Claim)
    assert isinstance(await keys.claim("u", "dead", b"body", uuid4()), Claim)
    assert isinstance(await keys.claim("u", "wrote", b"body", bench.command.request), Claim)
    await bench.create("authors", {"name": "A"})
    with pytest.raises(RequestInProgress):
        await keys.claim("u", "wrote", b"body", uuid4())


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0"])
async def test_wrong_keys(bench: Bench, key: str) -> None:
    with pytest.raises(UnprocessableContent):
        await IdempotencyKeys(bench.database).claim("u", key, b"", uuid4())
