"""What limited callers may write: fields, rows, presets, validation, nested items."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.access.rights import Rule
from domain.errors import ErrorGroup, Forbidden
from domain.model import RelationMeta
from tests.support.writing import Bench, limited

ALL = Rule(None)


def fields(*names: str, **more: object) -> Rule:
    return Rule(frozenset(names), **more)  # type: ignore[arg-type]


@pytest.fixture
async def rows(bench: Bench) -> Bench:
    await bench.define("", RelationMeta(1, "comments", "post", "posts", "comments"))
    await bench.create("authors", {"name": "Ann", "rank": 1}, {"name": "Bob", "rank": 2})
    await bench.create(
        "posts",
        {"title": "a", "slug": "draft", "author": 1},
        {"title": "b", "slug": "public", "author": 2},
    )
    return bench


def acting(bench: Bench, *rules: tuple[str, str, Rule]) -> None:
    bench.command = replace(bench.command, rights=limited(*rules))


async def test_without_a_rule_nothing_is_written(rows: Bench) -> None:
    before = len(await rows.events())
    acting(rows)
    for attempt in (
        rows.create("posts", {"title": "x"}),
        rows.update("posts", [1], {"title": "x"}),
        rows.delete("posts", 1),
    ):
        with pytest.raises(Forbidden):
            await attempt
    assert len(await rows.events()) == before


async def test_fields_of_a_create(rows: Bench) -> None:
    acting(rows, ("posts", "create", fields("title")), ("posts", "create", fields("slug")))
    assert await rows.create("posts", {"title": "x", "slug": "y"}) == ["3"]
    with pytest.raises(Forbidden, match='fields "views", "nope" in collection "posts"'):
        await rows.create("posts", {"title": "x", "views": 1, "nope": 2})


async def test_rows_of_an_update(rows: Bench) -> None:
    draft = fields("title", filter={"slug": {"_eq": "draft"}})
    public = fields("views", filter={"slug": {"_eq": "public"}})
    acting(rows, ("posts", "update", draft), ("posts", "update", public))
    assert await rows.update("posts", [1], {"title": "x"}) == ["1"]
    assert await rows.update("posts", [2], {"views": 5}) == ["2"]
    assert await rows.update("posts", [1, 2], {}) == ["1", "2"]
    for keys, payload in (([1], {"title": "x", "views": 1}), ([1, 2], {"title": "y"}), ([9], {"title": "y"})):
        with pytest.raises(Forbidden, match='You don\'t have permissions to perform "update" for the field'):
            await rows.update("posts", keys, payload)
    with pytest.raises(Forbidden):
        await rows.update("posts", [1, 1], {"title": "y"})
    with pytest.raises(Forbidden):
        await rows.update("posts", [], {"title": "y"})
    assert await rows.sql("SELECT title, views FROM posts ORDER BY id") == [("x", 0), ("b", 5)]
    assert await rows.differences("posts") == []


async def test_rules_through_relations(rows: Bench) -> None:
    acting(rows, ("posts", "update", Rule(None, filter={"author": {"rank": {"_gte": 2}}})))
    assert await rows.update("posts", [2], {"title": "x"}) == ["2"]
    with pytest.raises(Forbidden):
        await rows.update("posts", [1], {"title": "x"})
    each: list[dict[str, Any]] = [{"id": 2, "title": "y"}, {"id": 1, "views": 1}]
    with pytest.raises(Forbidden):
        await rows.writer.update_each(rows.command, rows.model, "posts", each)
    assert await rows.sql("SELECT title FROM posts WHERE id = 2") == [("x",)]


async def test_rows_of_a_deletion(rows: Bench) -> None:
    acting(rows, ("posts", "delete", Rule(None, filter={"slug": {"_in": ["draft", "old"]}})))
    for keys in ([2], [1, 2], [1, 1], [9]):
        with pytest.raises(Forbidden, match='perform "delete" for collection "posts"'):
            await rows.delete("posts", *keys)
    assert await rows.delete("posts", 1) == ["1"]


async def test_presets_and_validation(rows: Bench) -> None:
    acting(
        rows,
        ("posts", "create", fields("title", presets={"slug": "new", "views": 3})),
        ("posts", "create", fields("slug", presets={"views": 4}, validation={"title": {"_neq": "bad"}})),
        ("posts", "update", fields("title", presets={"views": 9}, validation={"views": {"_gt": 8}})),
    )
    await rows.create("posts", {"title": "x", "slug": None})
    assert await rows.sql("SELECT slug, views FROM posts WHERE id = 3") == [(None, 4)]
    assert (await rows.events("posts"))[-1][3] == {"fields": ["slug", "views", "title"]}
    with pytest.raises(ErrorGroup) as raised:
        await rows.create("posts", {"title": "bad"})
    assert raised.value.errors[0].extensions == {
        "field": "title",
        "path": [],
        "type": "neq",
        "invalid": "bad",
    }
    await rows.update("posts", [3], {})
    assert await rows.sql("SELECT views FROM posts WHERE id = 3") == [(9,)]


async def test_nested_items_need_rules_of_their_own(rows: Bench) -> None:
    acting(rows, ("posts", "update", ALL), ("posts", "create", ALL))
    await rows.create("posts", {"title": "x", "author": 1})
    await rows.update("posts", [1], {"author": {"id": 2}})
    for payload in ({"author": {"name": "New"}}, {"author": {"id": 1, "name": "New"}}):
        with pytest.raises(Forbidden, match='collection "authors"'):
            await rows.update("posts", [1], payload)
    with pytest.raises(Forbidden, match='collection "comments"'):
        await rows.update("posts", [1], {"comments": [{"body": "c"}]})
    acting(rows, ("posts", "update", ALL), ("comments", "create", fields("body")))
    with pytest.raises(Forbidden, match='field "post" in collection "comments"'):
        await rows.update("posts", [1], {"comments": [{"body": "c"}]})
    acting(rows, ("posts", "update", ALL), ("comments", "create", ALL))
    await rows.update("posts", [1], {"comments": [{"body": "c"}]})
    await rows.update("posts", [1], {"comments": [1]})
    with pytest.raises(Forbidden):
        await rows.update("posts", [1], {"comments": []})
    with pytest.raises(Forbidden):
        await rows.update("posts", [2], {"comments": [1]})
    acting(rows, ("posts", "update", ALL), ("comments", "update", fields("post")))
    await rows.update("posts", [2], {"comments": [1]})
    await rows.update("posts", [2], {"comments": []})
    assert await rows.sql("SELECT post FROM comments") == [(None,)]
    assert await rows.differences("posts", "authors", "comments") == []
