"""Items written through other items: every form, order and parents of events, the number of statements."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import ErrorGroup, Forbidden, InvalidForeignKey, InvalidPayload, RecordNotUnique
from tests.support.writing import NESTED, Bench


async def test_to_one(nested: Bench) -> None:
    assert await nested.create("posts", {"title": "T", "author": {"id": 1, "name": "New"}}) == ["1"]
    assert await nested.sql("SELECT author FROM posts") == [(1,)]
    await nested.update("posts", [1], {"author": {"id": 1, "name": "Renamed"}})
    assert await nested.sql("SELECT name FROM authors") == [("Renamed",)]
    await nested.update("posts", [1], {"author": {"id": 3, "name": "Third"}})
    await nested.update("posts", [1], {"author": {"name": "Fourth"}})
    assert await nested.sql("SELECT author FROM posts") == [(4,)]
    before = len(await nested.events("authors"))
    await nested.update("posts", [1], {"author": {"id": 3}})
    assert await nested.sql("SELECT author FROM posts") == [(3,)]
    assert len(await nested.events("authors")) == before
    await nested.update("posts", [1], {"author": None})
    with pytest.raises(InvalidForeignKey):
        await nested.update("posts", [1], {"author": 999})
    with pytest.raises(ErrorGroup) as raised:
        await nested.update("posts", [1], {"author": {}})
    assert raised.value.errors[0].extensions == {"field": "name", "path": ["author"], "type": "required"}
    assert await nested.differences(*NESTED) == []


async def test_complete_set(nested: Bench) -> None:
    await nested.create("authors", {"name": "A", "posts": [{"id": 1, "title": "x"}, {"id": 2, "title": "y"}]})
    await nested.update("authors", [1], {"posts": [{"id": 1, "title": "x2"}, 2, {"id": 3, "title": "z"}]})
    rows = "SELECT id, title, author FROM posts ORDER BY id"
    assert await nested.sql(rows) == [(1, "x2", 1), (2, "y", 1), (3, "z", 1)]
    assert [item for _, item, _, _ in await nested.events("posts")] == ["1", "2", "1", "3"]
    await nested.update("authors", [1], {"posts": [3]})
    assert await nested.sql(rows) == [(1, "x2", None), (2, "y", None), (3, "z", 1)]
    await nested.update("authors", [1], {"posts": [1, "2", {"id": 3}]})
    assert await nested.sql(rows) == [(1, "x2", 1), (2, "y", 1), (3, "z", 1)]
    assert (await nested.events("posts"))[-1][2:] == (
        {"author": 1},
        {"fields": ["author"], "parent": {"collection": "authors", "item": "1"}},
    )
    await nested.update("authors", [1], {"posts": None})
    assert await nested.sql(rows) == [(1, "x2", None), (2, "y", None), (3, "z", None)]
    with pytest.raises(Forbidden):
        await nested.update("authors", [1], {"posts": [99]})
    assert await nested.differences(*NESTED) == []


async def test_changes(nested: Bench) -> None:
    await nested.create("authors", {"name": "A", "posts": {"create": [{"title": "x"}, {"title": "y"}]}})
    rows = "SELECT id, title, author, sort FROM posts ORDER BY id"
    assert await nested.sql(rows) == [(1, "x", 1, 1), (2, "y", 1, 2)]
    await nested.update(
        "authors",
        [1],
        {"posts": {"create": [{"title": "z"}], "update": [{"id": 1, "title": "x2"}], "delete": [2]}},
    )
    assert await nested.sql(rows) == [(1, "x2", 1, 1), (2, "y", None, 2), (3, "z", 1, 3)]
    assert ("updated", "1", {"title": "x2"}) in [entry[:3] for entry in await nested.events("posts")]
    await nested.update(
        "authors", [1], {"posts": {"update": [{"id": 2}, {"id": 77, "title": "n"}], "delete": [9]}}
    )
    assert await nested.sql(rows) == [(1, "x2", 1, 1), (2, "y", 1, 2), (3, "z", 1, 3)]
    lists: tuple[Any, ...] = (
        "x",
        {"create": "x"},
        {"create": {}},
        {"delete": ""},
        {"nope": []},
        {"update": [{"title": "n"}]},
    )
    wrongs = (*lists, [True], [None])
    for wrong in wrongs:
        with pytest.raises(InvalidPayload):
            await nested.update("authors", [1], {"posts": wrong})
    assert await nested.differences(*NESTED) == []


async def test_detaching_deletes_or_clears_or_fails(nested: Bench) -> None:
    await nested.create(
        "authors", {"name": "A", "notes": [{"body": "a"}, {"body": "b"}], "strict": [{"body": "s"}]}
    )
    await nested.update("authors", [1], {"notes": [2]})
    assert await nested.sql("SELECT id FROM notes") == [(2,)]
    with pytest.raises(ErrorGroup) as raised:
        await nested.update("authors", [1], {"strict": []})
    assert raised.value.errors[0].extensions == {"field": "author", "path": ["strict"], "type": "nnull"}
    assert await nested.differences(*NESTED) == []


async def test_junctions(nested: Bench) -> None:
    await nested.create("posts", {"labels": [{"tag": {"label": "red"}}, {"tag": {"label": "blue"}}]})
    await nested.create("posts", {"labels": [{"tag": 1}]})
    await nested.update("posts", [1], {"labels": [2]})
    rows = "SELECT id, post, tag FROM posts_tags ORDER BY id"
    assert await nested.sql(rows) == [(1, None, 1), (2, 1, 2), (3, 2, 1)]
    change = {
        "create": [{"tag": {"id": 1, "label": "dark red"}}],
        "update": [{"id": 2, "tag": {"id": 2, "label": "dark blue"}}],
    }
    await nested.update("posts", [1], {"labels": change})
    assert await nested.sql("SELECT label FROM tags ORDER BY id") == [("dark red",), ("dark blue",)]
    with pytest.raises(RecordNotUnique) as raised:
        await nested.update("posts", [1], {"labels": {"create": [{"tag": {"label": "dark blue"}}]}})
    assert raised.value.extensions == {"collection": "tags", "field": "label", "value": "dark blue"}
    assert await nested.differences(*NESTED) == []


async def test_any_to_one(nested: Bench) -> None:
    blocks = [
        {"collection": "heads", "item": {"text": "h"}},
        {"collection": "texts", "item": {"body": "t"}},
        {"collection": "heads", "item": "77"},
    ]
    await nested.create("posts", {"blocks": blocks})
    [(head,), (text,), (dangling,)] = await nested.sql("SELECT item FROM blocks ORDER BY id")
    assert head == "1"
    assert await nested.sql("SELECT id::text, body FROM texts") == [(text, "t")]
    assert dangling == "77"
    wrongs: list[dict[str, Any]] = [{"item": {}}, {"collection": "authors", "item": {}}]
    for wrong in wrongs:
        with pytest.raises(InvalidPayload):
            await nested.create("blocks", wrong)
    assert await nested.differences(*NESTED) == []


async def test_events_come_children_first_and_tell_their_parent(nested: Bench) -> None:
    await nested.create(
        "posts",
        {
            "title": "p",
            "author": {"name": "A"},
            "comments": [{"body": "c"}],
            "labels": [{"tag": {"label": "l"}}],
        },
    )
    found = await nested.sql("SELECT collection, meta->'parent'->>'collection' FROM acta.events ORDER BY seq")
    assert found == [
        ("authors", "posts"),
        ("comments", "posts"),
        ("tags", "posts_tags"),
        ("posts_tags", "posts"),
        ("posts", None),
    ]
    assert await nested.sql("SELECT count(DISTINCT request), count(DISTINCT xid) FROM acta.events") == [
        (1, 1)
    ]


async def test_a_pure_change_of_children_is_an_empty_update_of_the_parent(nested: Bench) -> None:
    await nested.create("authors", {"name": "A"})
    await nested.update("authors", [1], {"posts": {"create": [{"title": "x"}]}})
    assert (await nested.events("authors"))[-1][2:] == ({}, {"fields": []})


async def test_many_keys_share_what_their_payload_creates(nested: Bench) -> None:
    await nested.create("posts", {"title": "a"}, {"title": "b"})
    await nested.update(
        "posts", [1, 2], {"author": {"name": "Both"}, "comments": {"create": [{"body": "x"}]}}
    )
    assert await nested.sql("SELECT count(*) FROM authors") == [(1,)]
    assert await nested.sql("SELECT author FROM posts") == [(1,), (1,)]
    assert await nested.sql("SELECT post FROM comments ORDER BY post") == [(1,), (2,)]
    assert await nested.differences(*NESTED) == []


async def test_items_that_nest_the_same_item(nested: Bench) -> None:
    payloads = [{"title": f"t{n}", "author": {"id": 5, "name": "fifth"}} for n in range(20)]
    await nested.create("posts", *payloads)
    assert await nested.sql("SELECT DISTINCT author FROM posts") == [(5,)]
    assert await nested.differences(*NESTED) == []


async def test_cycles_keep_the_order_of_an_items_events(nested: Bench) -> None:
    await nested.create(
        "authors", {"id": 1, "name": "A", "posts": [{"title": "x", "comments": [{"body": "y"}]}]}
    )
    await nested.update(
        "authors", [1], {"name": "B", "posts": {"update": [{"id": 1, "author": {"id": 1, "name": "C"}}]}}
    )
    assert await nested.differences(*NESTED) == []


async def test_nothing_remains_of_a_failed_tree(nested: Bench) -> None:
    await nested.create("tags", {"label": "deep"})
    with pytest.raises(RecordNotUnique):
        await nested.create("authors", {"name": "u", "posts": [{"labels": [{"tag": {"label": "deep"}}]}]})
    assert await nested.sql("SELECT count(*) FROM acta.events") == [(1,)]
    assert await nested.sql("SELECT count(*) FROM authors") == [(0,)]


async def test_deleting_logs_what_the_database_does_along(nested: Bench) -> None:
    await nested.create(
        "authors",
        {"name": "A", "notes": [{"body": "n"}], "posts": [{"title": "p", "comments": [{"body": "c"}]}]},
        {"name": "B"},
    )
    await nested.delete("authors", 1)
    last = [(entry[0], entry[2]) for entry in await nested.events()][-3:]
    assert last == [("deleted", None), ("deleted", None), ("updated", {"author": None})]
    causes = await nested.sql("SELECT collection, meta->>'cause' FROM acta.events ORDER BY seq DESC LIMIT 3")
    assert causes == [("posts", "cascade"), ("notes", "cascade"), ("authors", None)]
    await nested.delete("posts", 1)
    assert await nested.sql("SELECT count(*) FROM comments") == [(0,)]
    assert await nested.differences(*NESTED) == []
