"""One item and many, created, changed and deleted: rows, events, keys, errors."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import (
    ActaError,
    ErrorGroup,
    Forbidden,
    InvalidForeignKey,
    InvalidPayload,
    RecordNotUnique,
    ValueOutOfRange,
    ValueTooLong,
)
from tests.support.writing import USER, Bench


async def test_create_writes_row_and_event(bench: Bench) -> None:
    keys = await bench.create("authors", {"name": "Ann"})
    assert keys == ["1"]
    assert await bench.sql("SELECT id, name, rank FROM authors") == [(1, "Ann", 7)]
    [(topic, item, payload, meta)] = await bench.events()
    assert (topic, item) == ("created", "1")
    assert payload == {"id": 1, "name": "Ann", "rank": 7}
    assert meta == {"fields": ["name"]}
    actor, request = (await bench.sql("SELECT actor, request FROM acta.events"))[0]
    assert (actor, request) == (USER, bench.command.request)


async def test_create_many_keeps_order_and_defaults(bench: Bench) -> None:
    payloads: list[dict[str, Any]] = [{"name": "a"}, {"name": "b", "rank": None}, {"rank": 3, "name": "c"}]
    keys = await bench.create("authors", *payloads)
    assert keys == ["1", "2", "3"]
    rows = await bench.sql("SELECT id, name, rank FROM authors ORDER BY id")
    assert rows == [(1, "a", 7), (2, "b", None), (3, "c", 3)]
    events = await bench.events()
    assert [item for _, item, _, _ in events] == ["1", "2", "3"]
    assert [meta["fields"] for *_, meta in events] == [["name"], ["name", "rank"], ["rank", "name"]]
    assert await bench.differences("authors") == []


async def test_submitted_values_are_kept_where_the_stored_ones_differ(bench: Bench) -> None:
    payload = {"title": 12, "price": "1.239", "views": 3, "data": {"a": [1]}, "tags": ["x", None]}
    await bench.create("posts", payload)
    [(_, _, stored, meta)] = await bench.events()
    assert stored["title"] == "12"
    assert stored["price"] == 1.24
    assert stored["tags"] == ["x", None]
    assert meta["submitted"] == {"title": 12, "price": "1.239", "tags": ["x", None]}


async def test_update_holds_the_changed_columns_only(bench: Bench) -> None:
    await bench.create("posts", {"title": "one", "views": 1})
    assert await bench.update("posts", [1], {"views": "2", "id": 9}) == ["1"]
    _, (topic, item, payload, meta) = await bench.events()
    assert (topic, item, payload) == ("updated", "1", {"views": 2})
    assert meta == {"fields": ["views"], "submitted": {"views": "2"}}


async def test_update_of_nothing_is_an_event_too(bench: Bench) -> None:
    await bench.create("posts", {"title": "one"}, {"title": "two"})
    assert await bench.update("posts", [1], {}) == ["1"]
    assert await bench.update("posts", [1, 2], {"nope": 1}) == ["1", "2"]
    payloads = [payload for topic, _, payload, _ in await bench.events() if topic == "updated"]
    assert payloads == [{}, {}, {}]


async def test_update_of_missing_items_writes_nothing(bench: Bench) -> None:
    await bench.create("posts", {"title": "one"})
    assert await bench.update("posts", [5], {"views": 1}) == []
    assert await bench.update("posts", [5, 1], {"views": 1}) == ["1"]
    assert len(await bench.events()) == 2


async def test_update_each(bench: Bench) -> None:
    await bench.create("posts", {"title": "one"}, {"title": "two"}, {"title": "three"})
    keys = await bench.writer.update_each(
        bench.command,
        bench.model,
        "posts",
        [
            {"id": "3", "views": 3},
            {"id": 1, "title": "uno"},
            {"id": 3, "title": "tres"},
            {"id": 77, "views": 1},
        ],
    )
    assert keys == ["3", "1"]
    rows = await bench.sql("SELECT id, title, views FROM posts ORDER BY id")
    assert rows == [(1, "uno", 0), (2, "two", 0), (3, "tres", 3)]
    assert await bench.differences("posts") == []
    with pytest.raises(InvalidPayload):
        await bench.writer.update_each(bench.command, bench.model, "posts", [{"id": 1}, {"views": 1}])


async def test_delete(bench: Bench) -> None:
    await bench.create("authors", {"name": "a"}, {"name": "b"}, {"name": "c"})
    assert await bench.delete("authors", 2) == ["2"]
    assert await bench.delete("authors", 3, 9, 1) == ["3", "1"]
    events = [entry for entry in await bench.events() if entry[0] == "deleted"]
    assert [(item, payload) for _, item, payload, _ in events] == [("2", None), ("3", None), ("1", None)]
    assert await bench.differences("authors") == []


async def test_explicit_keys_move_the_sequence(bench: Bench) -> None:
    assert await bench.create("authors", {"id": 1, "name": "a"}) == ["1"]
    assert await bench.create("authors", {"name": "b"}) == ["2"]
    assert await bench.create("authors", {"id": 30, "name": "c"}, {"name": "d"}, {"id": 10, "name": "e"}) == [
        "30",
        "31",
        "10",
    ]
    assert await bench.create("authors", {"name": "f"}) == ["32"]


BAD: list[tuple[dict[str, Any], type[ActaError], str | None]] = [
    ({"views": "abc"}, InvalidPayload, None),
    ({"views": 1.5}, InvalidPayload, None),
    ({"views": 2**31}, ValueOutOfRange, "views"),
    ({"price": 12345}, ValueOutOfRange, "price"),
    ({"title": "12345678901"}, ValueTooLong, "title"),
    ({"title": "a\x00b"}, InvalidPayload, None),
    ({"data": {"a": "\x00"}}, InvalidPayload, None),
    ({"data": "plain"}, InvalidPayload, None),
    ({"published": "yesterday"}, InvalidPayload, None),
    ({"tags": 5}, InvalidPayload, None),
    ({"tags": "{broken"}, InvalidPayload, None),
    ({"author": 77}, InvalidForeignKey, "author"),
    ({"slug": "taken"}, RecordNotUnique, "slug"),
    ({"id": 1}, RecordNotUnique, "id"),
    ({"id": "x"}, Forbidden, None),
]


@pytest.mark.parametrize(("payload", "error", "field"), BAD)
async def test_bad_values_are_refused_by_name(
    bench: Bench, payload: dict[str, Any], error: type[ActaError], field: str | None
) -> None:
    await bench.create("posts", {"slug": "taken"})
    for payloads in ([payload], [{"title": "good"}, payload]):
        with pytest.raises(error) as raised:
            await bench.create("posts", *payloads)
        assert raised.value.status in (400, 403)
        if field is not None:
            assert raised.value.extensions["field"] == field
            assert raised.value.extensions["collection"] == "posts"
            assert raised.value.extensions["value"] == payload[field]
        elif error is InvalidPayload:
            assert next(iter(payload)) in raised.value.message
    assert len(await bench.events()) == 1
    assert len(await bench.sql("SELECT 1 FROM posts")) == 1


async def test_required_and_null(bench: Bench) -> None:
    for payload, rule in (({}, "required"), ({"name": None}, "nnull")):
        with pytest.raises(ErrorGroup) as raised:
            await bench.create("authors", payload)
        [error] = raised.value.errors
        assert error.extensions == {"field": "name", "path": [], "type": rule}


async def test_duplicates_within_a_batch(bench: Bench) -> None:
    with pytest.raises(RecordNotUnique) as raised:
        await bench.create("posts", {"slug": "b"}, {"slug": "b"})
    assert raised.value.extensions == {"collection": "posts", "field": "slug", "value": "b"}


async def test_unknown_collection_and_members(bench: Bench) -> None:
    with pytest.raises(Forbidden):
        await bench.create("nope", {})
    assert await bench.create("authors", {"name": "a", "nope": 1}) == ["1"]


async def test_two_thousand_rows_are_one_statement(bench: Bench) -> None:
    payloads = [{"title": f"t{n}", "views": n} for n in range(2000)]
    keys = await bench.create("posts", *payloads)
    assert keys == [str(n) for n in range(1, 2001)]
    assert await bench.sql("SELECT count(DISTINCT xid), count(*) FROM acta.events") == [(1, 2000)]
    assert await bench.sql("SELECT count(*) FROM posts WHERE views = id - 1") == [(2000,)]
