"""Reading as of a moment: what was answered then is answered now, folded from the log or from a history."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from domain.access.caller import Caller
from domain.access.command import Command
from domain.access.rights import ADMINISTRATOR, Rights, Rule
from domain.errors import ActaError, Forbidden
from projections.database import Database
from projections.prepare import prepare
from projections.reading.past import PastReader
from tests.support.project import Project
from tests.time.test_in_place import library
from workers.history import Histories

QUERIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("books", {"fields": ["*"], "sort": ["id"]}),
    ("books", {"fields": ["title", "author.name"], "sort": ["-title"], "limit": 4}),
    (
        "authors",
        {
            "fields": ["name", "books.title"],
            "sort": ["name"],
            "deep": {"books": {"_sort": ["title"], "_limit": 2}},
        },
    ),
    ("books", {"filter": {"author": {"name": {"_starts_with": "A"}}}, "fields": ["id"], "sort": ["id"]}),
    (
        "authors",
        {"filter": {"books": {"_some": {"title": {"_contains": "1"}}}}, "fields": ["id"], "sort": ["id"]},
    ),
    ("books", {"aggregate": {"count": "*", "max": "id"}, "groupBy": ["author"], "sort": ["author"]}),
    ("books", {"meta": "*", "fields": ["id"], "limit": 1, "sort": ["id"]}),
    ("books", {"search": "Book", "fields": ["id"], "sort": ["id"]}),
)


def past_of(project: Project, limit: int = 20_000) -> PastReader:
    return PastReader(project.database, project.reader, limit)


async def relate(project: Project) -> None:
    await library(project)
    await project.service.create_field(
        Command.internal(),
        "authors",
        {
            "field": "books",
            "type": "alias",
            "meta": {"special": ["o2m"], "interface": "list-o2m"},
            "schema": None,
        },
    )
    await project.service.update_relation(
        Command.internal(), "books", "author", {"meta": {"one_field": "books"}}
    )


async def answers(project: Project) -> list[bytes]:
    model = project.store.current
    return [
        await project.reader.list(model, ADMINISTRATOR, Caller(), collection, query)
        for collection, query in QUERIES
    ]


async def past_answers(project: Project, position: int) -> list[bytes]:
    model, past = project.store.current, past_of(project)
    return [
        await past.list(model, ADMINISTRATOR, Caller(), collection, {**query, "as_of": str(position)})
        for collection, query in QUERIES
    ]


async def changing(project: Project) -> list[tuple[int, list[bytes]]]:
    """A life of the library; positions and what was answered at each."""
    remembered = [(await project.now(), await answers(project))]
    for step in (
        project.update("books", 1, {"title": "Another"}),
        project.delete("books", 2, 3),
        project.create("authors", {"name": "Abe"}),
        project.update("books", 4, {"author": 4}),
        project.create("books", {"title": "Book 11", "author": 4}, {"title": "Book 12"}),
        project.update("authors", 1, {"name": "Zoe"}),
        project.create("books", {"id": 2, "title": "Again"}),
        project.delete("books", 2),
    ):
        await step
        remembered.append((await project.now(), await answers(project)))
    return remembered


async def caught_up(follower: Histories, database: Database) -> None:
    while await follower.step(database, 3):
        pass


async def register(project: Project, position: int) -> None:
    await project.sql(
        "insert into acta.cursors (name, position) values ('history', %s)"
        " on conflict (name) do update set position = excluded.position",
        position,
    )


async def test_folded(project: Project) -> None:
    await relate(project)
    for position, remembered in await changing(project):
        assert await past_answers(project, position) == remembered


@pytest.mark.parametrize("late", [False, True])
async def test_from_a_history(project: Project, late: bool) -> None:
    """Kept along with the changes, or made of the whole log afterwards: both tell the same."""
    await relate(project)
    follower = Histories(["*"], ["public"], [])
    if not late:
        await register(project, await project.now())
        await caught_up(follower, project.database)
    life = await changing(project)
    if late:
        await register(project, 0)
    await caught_up(follower, project.database)
    await project.sql("delete from acta.histories where false")
    for position, remembered in life:
        assert await past_answers(project, position) == remembered
    explained = await project.sql("select count(*) from acta.histories")
    assert explained == [(2,)]


async def test_a_history_follows_the_schema(project: Project) -> None:
    await relate(project)
    follower = Histories(["books"], ["public"], [])
    await register(project, await project.now())
    await caught_up(follower, project.database)
    before = await project.now()
    await project.service.create_field(
        Command.internal(), "books", {"field": "pages", "type": "integer", "schema": {"default_value": 7}}
    )
    added = await project.now()
    await project.update("books", 1, {"pages": 8})
    after = await project.now()
    await caught_up(follower, project.database)
    for past, expected in ((before, None), (added, 7), (after, 8)):
        query = {"fields": ["pages"], "as_of": str(past)}
        answer = await past_of(project, 0).item(
            project.store.current, ADMINISTRATOR, Caller(), "books", "1", query
        )
        assert answer == b'{"data":{"pages":%s}}' % (b"null" if expected is None else str(expected).encode())


async def test_a_history_is_found_by_what_its_table_is_found_by(project: Project) -> None:
    await relate(project)
    follower = Histories(["books"], ["public"], [])
    await register(project, await project.now())
    await caught_up(follower, project.database)
    indexes = (
        "select tablename, array_agg(substring(indexdef from '\\((.*), .acta to., .acta from.\\)'))"
        " from pg_indexes where schemaname = 'acta' and tablename like 'history%' group by 1"
    )
    [(table, found)] = await project.sql(indexes.encode())
    assert sorted(found) == ["author", "id"]
    await project.service.update_field(Command.internal(), "books", "title", {"schema": {"is_indexed": True}})
    await project.now()
    await caught_up(follower, project.database)
    # It stays; what it holds has not changed.
    [(same, found)] = await project.sql(indexes.encode())
    assert (same, sorted(found)) == (table, ["author", "id", "title"])


async def test_one_item_of_a_large_collection_is_folded_by_itself(project: Project) -> None:
    await relate(project)
    then = await project.now()
    await project.delete("books", 1)
    model, small = project.store.current, past_of(project, 5)
    query = {"fields": ["title"], "as_of": str(then)}
    assert (
        await small.item(model, ADMINISTRATOR, Caller(), "books", "1", query)
        == b'{"data":{"title":"Book 0"}}'
    )
    assert (
        await project.reader.item(model, ADMINISTRATOR, Caller(), "books", "1", {"fields": ["title"]}) is None
    )
    with pytest.raises(ActaError, match="HISTORY_COLLECTIONS"):
        await small.list(model, ADMINISTRATOR, Caller(), "books", query)


async def test_present_rights_bind(project: Project) -> None:
    await relate(project)
    then = await project.now()
    await project.update("books", 1, {"author": 2})
    rights = Rights("some", rules={("books", "read"): (Rule(frozenset({"id"}), {"author": {"_eq": 1}}),)})
    model, past = project.store.current, past_of(project)
    query = {"fields": ["id"], "as_of": str(then), "sort": ["id"]}
    assert (
        await past.list(model, rights, Caller(), "books", query) == b'{"data":[{"id":1},{"id":4},{"id":7}]}'
    )
    with pytest.raises(Forbidden):
        await past.list(model, rights, Caller(), "books", {**query, "fields": ["title"]})


@pytest.mark.parametrize("when", ["", "x", "0", "999999", "2001-01-01", "2999-01-01", True, [], {"a": 1}])
async def test_moments_that_are_none(project: Project, when: Any) -> None:
    await relate(project)
    with pytest.raises(ActaError) as refused:
        await past_of(project).list(project.store.current, ADMINISTRATOR, Caller(), "books", {"as_of": when})
    assert refused.value.status == 400


async def test_views_have_no_past(project: Project) -> None:
    await relate(project)
    position = await project.now()
    with pytest.raises(ActaError, match="has no history"):
        await past_of(project).list(
            project.store.current, ADMINISTRATOR, Caller(), "directus_activity", {"as_of": str(position)}
        )


async def test_a_kept_query_follows_histories_that_are_made_anew(project: Project) -> None:
    await relate(project)
    await register(project, await project.now())
    then = await project.now()
    past, raw = past_of(project, 0), f"as_of={then}&fields=title&limit=1&sort=id"
    follower = Histories(["books"], ["public"], [])
    await caught_up(follower, project.database)

    async def ask() -> bytes:
        return await past.list(project.store.current, ADMINISTRATOR, Caller(), "books", raw)

    asked = [await ask(), await ask()]
    async with project.database.connection() as connection:
        [(number,)] = await (await connection.execute("select number from acta.histories")).fetchall()
        await connection.execute(f"drop table acta.history_{number}".encode())
        await connection.execute("delete from acta.histories")
    await project.update("books", 1, {"title": "Later"})
    async with project.database.connection() as connection:
        await connection.execute("update acta.cursors set position = 0 where name = 'history'")
    with pytest.raises(ActaError):
        await ask()
    await caught_up(Histories(["books"], ["public"], []), project.database)
    assert [*asked, await ask()] == [b'{"data":[{"title":"Book 0"}]}'] * 3


async def test_a_history_that_nobody_keeps(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.reading.moments.WAITS", 1)
    await relate(project)
    follower = Histories(["books"], ["public"], [])
    await register(project, await project.now())
    await caught_up(follower, project.database)
    await project.update("books", 1, {"title": "Later"})
    with pytest.raises(ActaError) as refused:
        await past_of(project).list(
            project.store.current, ADMINISTRATOR, Caller(), "books", {"as_of": str(await project.now())}
        )
    assert refused.value.status == 503
    await asyncio.sleep(0)
    await prepare(project.database)
