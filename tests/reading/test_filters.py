from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest

from domain.access.caller import Caller
from domain.access.rights import Rights, Rule
from domain.errors import Forbidden, InvalidQuery
from tests.reading.conftest import Library
from tests.support.library import PICTURE


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({"title": {"_contains": "O"}}, [1, 5]),
        ({"title": {"_contains": "%r%e"}}, [3]),
        ({"title": {"_contains": "\\"}}, []),
        ({"title": {"_icontains": "O"}}, [1, 2, 4, 5]),
        ({"title": {"_nistarts_with": "t"}}, [1, 4, 5]),
        ({"price": "9.9"}, [1]),
        ({"pages": {"_nin": [100, 1]}}, [2, 3]),
        ({"labels": "x,y"}, [1]),
        ({"published": {"_lt": "$NOW"}}, [1, 3]),
        ({"added": {"_gt": "$NOW(-100 years)"}}, [1]),
        ({"added": {"_gt": "$NOW(+1 day)"}}, []),
        ({"sections": {"item:headings": {"text": "Big"}}}, [1]),
        ({"sections": {"item:pictures": {"id": PICTURE}}}, [1]),
        ({"sections": {"item:headings": {"text": {"_null": True}}}}, [1, 2, 3, 4, 5]),
        ({"tags": {"tag": {"label": "old"}}}, [1, 2]),
        ({"_and": [{"tags": {"tag": {"label": "old"}}}, {"tags": {"tag": {"label": "new"}}}]}, []),
        ({"_and": [{"tags": {"_some": {"tag": 1}}}, {"tags": {"_some": {"tag": 2}}}]}, [1]),
        ({"tags": {"_none": {"tag": {"label": "new"}}}}, [2, 3, 4, 5]),
        ({"author": {"count(books)": {"_gt": 1}}}, [1, 2, 3]),
        ({"year(published)": {"_in": ["2022", 2023]}}, [3]),
        ({"$FOLLOW(reviews,book)": {"stars": {"_gte": 4}}}, [1, 2]),
        ({"json(extra, color)": {"_in": ["red", "green"]}}, [1]),
        ({"json(extra, size.w)": {"_gt": 3}}, [2]),
        ({"json(extra, size.w)": {"_null": True}}, [3, 4, 5]),
    ],
)
async def test_filters(books: Library, filter: Any, expected: list[int]) -> None:
    assert await books.ids("books", filter) == expected


async def test_following_a_many_to_any_relation_backwards(books: Library) -> None:
    assert await books.ids("headings", {"$FOLLOW(sections,item,collection)": {"book": {"title": "One"}}}) == [
        7
    ]
    assert await books.ids("pictures", {"$FOLLOW(sections,item,collection)": {"book": 2}}) == []


@pytest.mark.parametrize(
    "filter",
    [
        {"pages": {"_contains": "1"}},
        {"pages": "abc"},
        {"pages": 12.5},
        {"pages": 99999999999},
        {"published": "soon"},
        {"added": {"_gt": "2024-13-01"}},
        {"extra": {"_eq": "x"}},
        {"hour(published)": 1},
        {"count(author)": 1},
        {"json(title, a)": 1},
        {"reviews": {"_contains": "x"}},
        {"author": {"_some": {"id": 1}}},
        {"author": {"books": {"_some": {"id": 1}}}},
        {"sections": {"item": {"text": "x"}}},
        {"sections": {"item:headings": {"_eq": 1}}},
        {"$FOLLOW(reviews)": {"id": 1}},
        {"title": {"_eq": "\ud800"}},
        {"author": {"id": {"_eq": "$CURRENT_USER.nope"}}},
    ],
)
async def test_filters_that_make_no_sense(books: Library, filter: Any) -> None:
    with pytest.raises(InvalidQuery) as raised:
        await books.ids("books", filter)
    assert raised.value.extensions["reason"]


@pytest.mark.parametrize(
    "filter",
    [
        {"nope": 1},
        {"author": {"nope": 1}},
        {"title": {"sub": 1}},
        {"nope": {"a": {"b": 1}}},
        [1, 2],
        {"sections": {"item:shop": {"name": "x"}}},
        {"sections": {"item:nope": {"name": "x"}}},
        {"$FOLLOW(nope,book)": {"id": 1}},
        {"$FOLLOW(reviews,stars)": {"id": 1}},
        {"year(nope)": 1},
        {'x" = 1; DROP TABLE books; --': 1},
    ],
)
async def test_filters_on_what_is_not_there(books: Library, filter: Any) -> None:
    with pytest.raises(Forbidden):
        await books.ids("books", filter)


async def test_values_never_become_sql(books: Library) -> None:
    for text in ("'; DROP TABLE books; --", '"', "\\'", "$1", "%s", "{}", "{a,b}", "NULL"):
        for operator in ("_eq", "_contains", "_in", "_iends_with"):
            await books.ids("books", {"title": {operator: [text] if operator == "_in" else text}})
        for raw in (
            {"search": text},
            {"fields": [f"id,{text}"]},
            {"sort": [text]},
            {"alias": {text: "title"}},
        ):
            # Refused as bad or unknown, or answered: never a word of it reaches PostgreSQL as SQL.
            with suppress(InvalidQuery, Forbidden):
                await books.data("books", raw)
    assert len(await books.data("books", {"alias": {'"; --': "title"}, "fields": ['"; --', "id"]})) == 5


async def test_the_callers_own_values(books: Library) -> None:
    me = Caller(user=UUID(PICTURE), roles=(UUID(PICTURE),))
    assert await books.data("pictures", {"filter": {"id": "$CURRENT_USER"}, "fields": "url"}, caller=me) == [
        {"url": "a.png"}
    ]
    assert await books.data("pictures", {"filter": {"id": {"_in": ["$CURRENT_ROLES"]}}}, caller=me)
    assert await books.data("pictures", {"filter": {"id": {"_nin": ["$CURRENT_ROLES"]}}}, caller=me) == []
    assert await books.data("pictures", {"filter": {"id": "$CURRENT_USER"}}) == []


async def test_values_from_the_callers_rows(books: Library) -> None:
    me = Caller(user=UUID(PICTURE), roles=(UUID(PICTURE), UUID(PICTURE.replace("1", "2"))))

    async def found(filter: Any, caller: Caller = me) -> list[int]:
        rows = await books.data("authors", {"filter": filter, "fields": "id", "sort": "id"}, caller=caller)
        return [row["id"] for row in rows]

    assert await found({"name": "$CURRENT_USER.email"}) == [1]
    assert await found({"country": {"name": {"_neq": "$CURRENT_USER.country.name"}}}) == [2]
    assert await found({"name": {"_in": ["$CURRENT_ROLES.name", "Ann"]}}) == [1, 2, 3]
    assert await found({"name": {"_nin": ["$CURRENT_ROLES.name"]}}) == [1]
    assert await found({"name": "$CURRENT_ROLES.name"}) == [2, 3]
    assert await found({"name": "$CURRENT_USER.email"}, Caller()) == []
    assert await found({"name": "$CURRENT_USERS.email"}) == []


async def test_the_callers_rows_are_read_under_the_callers_rights(books: Library) -> None:
    mine = Rights("x", rules={("authors", "read"): (Rule(None),)})
    with pytest.raises(InvalidQuery, match="Invalid filter object"):
        await books.data("authors", {"filter": {"name": "$CURRENT_USER.email"}}, mine)
