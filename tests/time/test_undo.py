"""Undo of commands: everything meets its opposite, what stands against it is named, undo can be undone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.access.caller import Caller
from domain.access.command import Command
from domain.access.rights import ADMINISTRATOR, Rights, Rule
from domain.errors import ActaError, Forbidden, UndoConflict
from projections.time.undo import Asked, Undo, Undone
from tests.support.project import Project
from tests.time.test_in_place import library

USER = UUID("11111111-1111-4111-8111-111111111111")
BOOKS = "select id, title, author from books order by id"


async def undo(project: Project, what: Command | Asked, **how: Any) -> Undone:
    asked = what if isinstance(what, Asked) else Asked(request=what.request)
    command = how.pop("command", None) or Command.internal()
    service = Undo(project.database, project.store, project.reader, project.service)
    return await service.undo(command, asked, **how)


def reasons(error: UndoConflict) -> list[tuple[str, str, str, Any]]:
    return [(c["collection"], c["item"], c["reason"], c["fields"]) for c in error.extensions["conflicts"]]


async def cascading(project: Project) -> None:
    await library(project)
    relation = {
        "collection": "books",
        "field": "author",
        "related_collection": "authors",
        "schema": {"on_delete": "CASCADE"},
    }
    await project.service.delete_relation(Command.internal(), "books", "author")
    await project.service.create_relation(Command.internal(), relation)


async def test_a_deletion_brings_all_rows_back_that_went_along(project: Project) -> None:
    await cascading(project)
    before = await project.sql(BOOKS)
    command = Command.internal()
    await project.delete("authors", 1, command=command)
    assert len(await project.sql(BOOKS)) == 6
    dry = await undo(project, command, dry=True)
    assert len(await project.sql(BOOKS)) == 6
    done = await undo(project, command)
    assert done.items == dry.items
    assert [(one["collection"], one["action"]) for one in done.items] == [("authors", "create")] + [
        ("books", "create")
    ] * 3
    assert await project.sql(BOOKS) == before
    assert await project.differences() == []


async def test_an_item_comes_back_with_its_junction_and_child_rows(project: Project) -> None:
    await library(project)
    await project.collection("tags", {"field": "name", "type": "string"})
    await project.collection(
        "books_tags",
        {"field": "book", "type": "integer"},
        {"field": "tag", "type": "integer"},
    )
    await project.collection(
        "notes", {"field": "text", "type": "string"}, {"field": "junction", "type": "integer"}
    )
    for collection, name, related in (
        ("books_tags", "book", "books"),
        ("books_tags", "tag", "tags"),
        ("notes", "junction", "books_tags"),
    ):
        relation = {"collection": collection, "field": name, "related_collection": related}
        await project.service.create_relation(
            Command.internal(), {**relation, "schema": {"on_delete": "CASCADE"}}
        )
    await project.create("tags", {"name": "red"}, {"name": "blue"})
    await project.create("books_tags", {"book": 1, "tag": 1}, {"book": 1, "tag": 2}, {"book": 2, "tag": 1})
    await project.create("notes", {"text": "on red", "junction": 1}, {"text": "other", "junction": 3})
    before = await project.everything()
    command = Command.internal()
    await project.delete("books", 1, command=command)
    assert await project.sql("select id from books_tags") == [(3,)]
    assert await project.sql("select text from notes") == [("other",)]
    done = await undo(project, command)
    assert [(one["collection"], one["item"], one["action"]) for one in done.items] == [
        ("books", "1", "create"),
        ("books_tags", "1", "create"),
        ("books_tags", "2", "create"),
        ("notes", "1", "create"),
    ]
    assert await project.everything() == before
    assert await project.differences() == []


async def test_an_import_goes_and_comes_back(project: Project) -> None:
    await library(project)
    command, back = Command.internal(), Command.internal()
    await project.create(
        "books", *({"title": f"Import {n}", "author": 1} for n in range(200)), command=command
    )
    await project.update("books", 1, {"title": "Changed", "author": 3}, command=command)
    after = await project.sql(BOOKS)
    await undo(project, command, command=back)
    assert len(await project.sql(BOOKS)) == 9
    assert (await project.sql(BOOKS))[0] == (1, "Book 0", 1)
    await undo(project, back)
    assert await project.sql(BOOKS) == after
    assert await project.differences() == []


async def test_what_stands_against_it_is_named_and_can_be_left(project: Project) -> None:
    await library(project)
    command = Command.internal()
    await project.update("books", 1, {"title": "A"}, command=command)
    await project.update("books", 2, {"title": "B"}, command=command)
    await project.update("books", 3, {"title": "C"}, command=command)
    await project.create("authors", {"name": "New"}, command=command)
    await project.update("books", 1, {"title": "Later"})
    await project.delete("books", 2)
    await project.update("books", 4, {"author": 4})
    # Another field of the item stands against nothing.
    await project.update("books", 3, {"author": 2})
    with pytest.raises(UndoConflict) as refused:
        await undo(project, command)
    assert reasons(refused.value) == [
        ("authors", "4", "referred", ["books"]),
        ("books", "1", "changed", ["title"]),
        ("books", "2", "deleted", None),
    ]
    assert (await project.sql("select title from books where id = 3")) == [("C",)]
    done = await undo(project, command, skip=True)
    assert [one["item"] for one in done.items] == ["3"]
    assert len(done.conflicts) == 3
    assert (await project.sql("select title, author from books where id = 3")) == [("Book 2", 2)]
    assert await project.differences() == []


async def test_values_taken_and_references_gone(project: Project) -> None:
    await cascading(project)
    command = Command.internal()
    await project.update("authors", 1, {"name": "Other"}, command=command)
    await project.delete("books", 2, command=command)
    await project.create("authors", {"name": "Ann"})
    await project.delete("authors", 2)
    with pytest.raises(UndoConflict) as refused:
        await undo(project, command)
    assert reasons(refused.value) == [
        ("authors", "1", "unique", ["name"]),
        ("books", "2", "reference", ["author"]),
    ]


async def test_values_that_go_round(project: Project) -> None:
    await library(project)
    command = Command.internal()
    for key, name in ((1, "x"), (2, "Ann"), (1, "Bob")):
        await project.update("authors", key, {"name": name}, command=command)
    await undo(project, command)
    assert await project.sql("select name from authors order by id") == [("Ann",), ("Bob",), ("Cid",)]
    assert await project.differences() == []


async def test_a_users_work_in_a_span(project: Project) -> None:
    await library(project)
    begin = datetime.now(UTC) - timedelta(seconds=1)
    for title in ("One", "Two"):
        theirs = Command(Caller(user=USER, admin=True), ADMINISTRATOR, Command.internal().request)
        await project.update("books", 1, {"title": title}, command=theirs)
    span = Asked(user=USER, since=begin, until=datetime.now(UTC) + timedelta(seconds=5))
    await undo(project, span)
    assert (await project.sql(BOOKS))[0] == (1, "Book 0", 1)


async def test_a_change_of_the_schema(project: Project) -> None:
    await library(project)
    command = Command.internal()
    await project.service.delete_field(command, "books", "title")
    await undo(project, command)
    assert (await project.sql(BOOKS))[0] == (1, "Book 0", 1)


async def test_rights(project: Project) -> None:
    await library(project)
    rights = Rights(
        "editor",
        rules={
            ("books", "read"): (Rule(None),),
            ("books", "update"): (Rule(frozenset({"title"}), {"author": {"_eq": 1}}),),
        },
    )
    caller = Caller(user=USER)
    own = Command(caller, rights, Command.internal().request)
    await project.update("books", 1, {"title": "Mine"}, command=own)
    foreign = Command.internal()
    await project.update("books", 4, {"title": "Theirs"}, command=foreign)
    editor = Command(caller, rights, Command.internal().request)
    with pytest.raises(Forbidden):
        await undo(project, foreign, command=editor)
    # No longer a row that the editor may change.
    await project.update("books", 1, {"author": 2})
    with pytest.raises(Forbidden):
        await undo(project, own, command=editor)
    await project.update("books", 1, {"author": 1})
    await undo(project, own, command=editor)
    assert (await project.sql(BOOKS))[0] == (1, "Book 0", 1)


async def test_what_refers_to_an_item_is_told_to_who_may_read_it(project: Project) -> None:
    await library(project)
    rules: dict[tuple[str, Any], tuple[Rule, ...]] = {
        ("authors", action): (Rule(None),) for action in ("read", "create", "delete")
    }
    keeper, reader = (
        Rights("keeper", rules=rules),
        Rights("reader", rules={**rules, ("books", "read"): (Rule(None),)}),
    )
    caller = Caller(user=USER)
    own = Command(caller, keeper, Command.internal().request)
    await project.create("authors", {"name": "New"}, command=own)
    await project.update("books", 4, {"author": 4})
    for rights, told in ((keeper, None), (reader, ["books"])):
        asking = Command(caller, rights, Command.internal().request)
        with pytest.raises(UndoConflict) as refused:
            await undo(project, own, command=asking)
        assert reasons(refused.value) == [("authors", "4", "referred", told)]


async def test_what_nobody_did_is_nobodys(project: Project) -> None:
    """Anonymous callers and visitors of shares have no name in the log: what has none is not theirs."""
    await library(project)
    done = Command.internal()
    await project.update("books", 1, {"title": "By nobody"}, command=done)
    everything: dict[tuple[str, Any], tuple[Rule, ...]] = {
        ("books", action): (Rule(None),) for action in ("read", "create", "update", "delete")
    }
    with pytest.raises(Forbidden):
        await undo(project, done, command=Command(Caller(), Rights("public", rules=everything), done.request))
    assert (await project.sql(BOOKS))[0] == (1, "By nobody", 1)


async def test_nothing_to_undo(project: Project) -> None:
    with pytest.raises(ActaError, match="no such events"):
        await undo(project, Command.internal())
