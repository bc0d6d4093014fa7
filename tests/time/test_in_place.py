"""Going back in place: everything, a collection, an item; what is refused; the log stays the truth."""

from __future__ import annotations

from typing import Any

import pytest

from domain.access.command import Command
from domain.errors import ActaError
from projections.time.in_place import Restored, Scope, restore
from projections.time.moments import resolve
from tests.support.project import Project


async def back(project: Project, when: Any, scope: Scope | None = None, *, dry: bool = False) -> Restored:
    async with project.database.connection() as connection:
        cut = await resolve(connection, when)
    return await restore(project.service, Command.internal(), cut, scope or Scope(), dry=dry)


async def library(project: Project) -> None:
    await project.collection("authors", {"field": "name", "type": "string", "schema": {"is_unique": True}})
    await project.collection(
        "books", {"field": "title", "type": "string"}, {"field": "author", "type": "integer"}
    )
    await project.service.create_relation(
        Command.internal(),
        {"collection": "books", "field": "author", "related_collection": "authors", "schema": {}},
    )
    await project.create("authors", {"name": "Ann"}, {"name": "Bob"}, {"name": "Cid"})
    await project.create("books", *({"title": f"Book {n}", "author": 1 + n % 3} for n in range(9)))


async def test_rows_schema_and_rights_come_back(project: Project) -> None:
    await library(project)
    policy = (await project.create("directus_policies", {"name": "Editors"}))[0]
    given = {"policy": policy, "collection": "books", "action": "read", "fields": ["title"]}
    right = (await project.create("directus_permissions", given))[0]
    then, before = await project.now(), await project.everything()
    await project.delete("books", 2, 5, 8)
    await project.delete("authors", 2)
    # The unique name goes round: no order of single updates brings it back.
    await project.update("authors", 1, {"name": "x"})
    await project.update("authors", 3, {"name": "Ann"})
    await project.update("authors", 1, {"name": "Cid"})
    await project.create("books", {"title": "New", "author": 1})
    await project.delete("directus_permissions", right)
    command = Command.internal()
    await project.service.create_field(
        command, "books", {"field": "pages", "type": "integer", "schema": {"default_value": 7}}
    )
    await project.service.delete_field(command, "books", "title")
    await project.service.rename(command, {"collection": "books", "field": "author", "name": "writer"})
    await project.collection("shelves", {"field": "place", "type": "string"})
    await project.create("shelves", {"place": "left"})
    dry = await back(project, then, dry=True)
    assert "shelves" in (await project.everything())
    restored = await back(project, then)
    assert await project.everything() == before
    assert [entry.collection for entry in dry.collections] == [
        entry.collection for entry in restored.collections
    ]
    assert any("title" in statement for statement in restored.statements)
    counts = {
        entry.collection: (entry.created, entry.updated, entry.deleted) for entry in restored.collections
    }
    assert counts["authors"] == (1, 2, 0)
    assert await project.differences() == []
    # And back again: the restore is history like all else.
    again = await project.now()
    await back(project, then)
    assert await project.now() == again


async def test_a_collection_and_an_item_alone(project: Project) -> None:
    await library(project)
    then = await project.now()
    await project.update("books", 1, {"title": "Changed"})
    await project.update("books", 2, {"title": "Changed"})
    await project.update("authors", 1, {"name": "Changed"})
    await back(project, then, Scope("books", "1"))
    titles = "select title from books where id in (1, 2) order by id"
    assert await project.sql(titles) == [("Book 0",), ("Changed",)]
    await back(project, then, Scope("books"))
    assert await project.sql(titles) == [("Book 0",), ("Book 1",)]
    assert await project.sql("select name from authors where id = 1") == [("Changed",)]
    assert await project.differences() == []


async def test_fields_that_came_later_keep_their_values(project: Project) -> None:
    await library(project)
    then = await project.now()
    await project.service.create_field(Command.internal(), "books", {"field": "pages", "type": "integer"})
    await project.update("books", 1, {"title": "Changed", "pages": 5})
    await back(project, then, Scope("books"))
    assert await project.sql("select title, pages from books where id = 1") == [("Book 0", 5)]
    assert await project.differences() == []


async def test_references_that_nobody_meets_are_refused_whole(project: Project) -> None:
    await library(project)
    then = await project.now()
    await project.delete("books", 1, 4, 7)
    await project.delete("authors", 1)
    before = await project.everything()
    with pytest.raises(ActaError, match="would refer to items that are not there"):
        await back(project, then, Scope("books"))
    assert await project.everything() == before


@pytest.mark.parametrize(
    "when", ["0", "99999999", "2001-01-01", "2999-01-01", "00000000-0000-4000-8000-000000000000"]
)
async def test_moments_that_are_none(project: Project, when: str) -> None:
    from domain.log.moments import parse_when

    await project.now()
    with pytest.raises(ActaError):
        await back(project, parse_when(when))


async def test_a_transaction_that_commits_late_stays_behind_the_cut(project: Project) -> None:
    await library(project)
    async with await project.database.dedicated() as slow, slow.transaction():
        await slow.execute(
            "with r as (insert into authors (name) values ('Slow') returning *)"
            " insert into acta.events (topic, collection, item, payload)"
            " select 'item.created', 'authors', id::text, to_jsonb(r) from r"
        )
        await project.create("authors", {"name": "Quick"})
        then = await project.now()
    await project.now()
    await back(project, then, Scope("authors"))
    assert await project.sql("select name from authors where name in ('Slow', 'Quick')") == [("Quick",)]
    assert await project.differences() == []
