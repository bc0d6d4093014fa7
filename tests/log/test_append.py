"""Events appended from Python, and the contexts they refer to."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import psycopg
import pytest

from domain.access.caller import SYSTEM, Caller
from domain.events import CollectionCreated, FieldDeleted, ItemCreated, UserLoggedIn
from projections.database import Database
from projections.log.append import append
from projections.log.contexts import LONGEST, Contexts

USER, REQUEST = UUID(int=1), UUID(int=2)


async def rows(database: Database, statement: str) -> list[tuple[object, ...]]:
    async with database.connection() as connection:
        return await (await connection.execute(statement)).fetchall()


async def test_events_become_rows_in_order(database: Database) -> None:
    events = [
        CollectionCreated(originator_id="articles", actor=USER, request=REQUEST, context=7, new={"a": 1}),
        ItemCreated(originator_id="articles/a/b", values={"id": "a/b", "n": 2**60}, meta={"fields": ["n"]}),
        FieldDeleted(originator_id="a%2Fb", field="title", old={"x": None}),
        UserLoggedIn(originator_id=f"directus_users/{USER}"),
    ]
    async with database.transaction() as connection:
        assert await append(connection, events) == [1, 2, 3, 4]
        assert await append(connection, []) == []
    assert await rows(
        database,
        "select topic, collection, item, actor, request, context, payload, meta from acta.events",
    ) == [
        ("collection.created", "articles", None, USER, REQUEST, 7, {"new": {"a": 1}}, None),
        ("item.created", "articles", "a/b", None, None, None, {"n": 2**60, "id": "a/b"}, {"fields": ["n"]}),
        ("field.deleted", "a/b", None, None, None, None, {"old": {"x": None}, "field": "title"}, None),
        ("user.login", "directus_users", str(USER), None, None, None, None, None),
    ]
    assert await rows(database, "select count(*) from acta.events where payload is null") == [(1,)]


async def test_events_of_a_failed_transaction_never_were(database: Database) -> None:
    async def append_and_fail() -> None:
        async with database.transaction() as connection:
            await append(connection, [UserLoggedIn(originator_id="directus_users/1")])
            await connection.execute("select 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        await append_and_fail()
    assert await rows(database, "select count(*) from acta.events") == [(0,)]


async def test_ten_thousand_events_at_once_keep_their_order(database: Database) -> None:
    values = [
        ItemCreated(originator_id=f"things/{n}", request=uuid4(), values={"id": n, "text": "x" * 600})
        for n in range(10_000)
    ]
    async with database.transaction() as connection:
        seqs = await append(connection, values)
    assert seqs == list(range(1, 10_001))
    assert await rows(database, "select count(*) from acta.events where item::int <> seq - 1") == [(0,)]


async def test_a_context_is_stored_once(database: Database) -> None:
    caller = Caller(ip="127.0.0.1", user_agent="Mozilla")
    several = [Contexts(database) for _ in range(8)]
    ids = await asyncio.gather(*(contexts.id_of(caller) for contexts in several for _ in range(3)))
    assert len(set(ids)) == 1
    assert await several[0].id_of(replace(caller, origin="https://example.org")) != ids[0]
    assert await rows(database, "select ip, user_agent, origin from acta.requests order by id") == [
        ("127.0.0.1", "Mozilla", None),
        ("127.0.0.1", "Mozilla", "https://example.org"),
    ]


async def test_callers_without_a_context_have_none(database: Database) -> None:
    assert await Contexts(database).id_of(SYSTEM) is None


async def test_endless_and_broken_texts_are_cut(database: Database) -> None:
    contexts = Contexts(database)
    caller = Caller(ip="1" * 9999, user_agent="\U0001f600" * 9999, origin="a\0\udc80" + "€" * 9999)
    assert await contexts.id_of(caller) == 1
    (stored,) = await rows(database, "select ip, user_agent, origin from acta.requests")
    assert all(
        len(str(text).encode()) <= longest for text, longest in zip(stored, LONGEST.values(), strict=True)
    )
