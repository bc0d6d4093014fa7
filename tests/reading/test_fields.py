import json
from typing import Any

import pytest

from domain.access.caller import Caller
from domain.access.rights import ADMINISTRATOR
from domain.errors import Forbidden, InvalidQuery
from tests.reading.conftest import Library
from tests.reading.test_rights import rights, rule
from tests.support.library import PICTURE


async def test_plain_columns_in_the_order_asked(books: Library) -> None:
    answer = await books.reader.list(
        books.model, ADMINISTRATOR, Caller(), "authors", "fields=name,id&limit=1"
    )
    assert answer == b'{"data":[{"name":"Ann","id":1}]}'


async def test_a_star_is_every_field_relations_as_keys(books: Library) -> None:
    assert await books.data("authors", limit=1) == [
        {"id": 1, "name": "Ann", "age": 30, "country": 1, "secret": "**********", "books": [2, 3, 1]}
    ]


async def test_presentation_is_no_field(books: Library) -> None:
    assert "note" not in (await books.data("books", limit=1))[0]
    with pytest.raises(Forbidden):
        await books.data("books", fields="note")


async def test_nesting(books: Library) -> None:
    assert await books.data("books", fields="title,author.country.name,reviews.stars", limit=2) == [
        {"title": "One", "author": {"country": {"name": "Austria"}}, "reviews": [{"stars": 4}, {"stars": 1}]},
        {"title": "Two", "author": {"country": {"name": "Austria"}}, "reviews": [{"stars": 5}]},
    ]
    assert await books.data("books", {"fields": "author.name", "filter": {"id": 5}}) == [{"author": None}]


async def test_many_below_one_below_many(books: Library) -> None:
    rows = await books.data(
        "countries", fields="name,authors.books.tags.tag.label,authors.books.author.books"
    )
    assert rows == [
        {
            "name": "Austria",
            "authors": [
                {
                    "books": [
                        {"tags": [{"tag": {"label": "old"}}], "author": {"books": [2, 3, 1]}},
                        {"tags": [], "author": {"books": [2, 3, 1]}},
                        {
                            "tags": [{"tag": {"label": "new"}}, {"tag": {"label": "old"}}],
                            "author": {"books": [2, 3, 1]},
                        },
                    ]
                }
            ],
        },
        {"name": "Belgium", "authors": [{"books": [{"tags": [], "author": {"books": [4]}}]}]},
    ]


async def test_wildcards_per_level(books: Library) -> None:
    row = (await books.data("reviews", fields="*.*", limit=1))[0]
    assert row["book"]["author"] == 1
    assert row["book"]["tags"] == [1, 2]
    row = (await books.data("reviews", fields="*,book.author.*", limit=1))[0]
    assert row["text"] == "good"
    assert row["book"] == {
        "author": {
            "id": 1,
            "name": "Ann",
            "age": 30,
            "country": 1,
            "secret": "**********",
            "books": [2, 3, 1],
        }
    }


async def test_backlinks_can_be_left_out(books: Library) -> None:
    plain = (await books.data("countries", fields="*.*.*", limit=1))[0]
    assert plain["authors"][0]["country"] == {"id": 1, "name": "Austria", "authors": [1]}
    without = (await books.data("countries", fields="*.*.*", limit=1, backlink="false"))[0]
    assert without["authors"][0]["country"] == 1


async def test_many_to_any(books: Library) -> None:
    rows = await books.data("books", fields="sections.collection,sections.item:headings.text", limit=2)
    assert rows == [
        {
            "sections": [
                {"collection": "pictures", "item": PICTURE},
                {"collection": "headings", "item": {"text": "Big"}},
            ]
        },
        {"sections": [{"collection": "headings", "item": None}]},
    ]
    rows = await books.data("books", fields="sections.item.*", limit=1)
    assert rows == [
        {"sections": [{"item": {"id": PICTURE, "url": "a.png"}}, {"item": {"id": 7, "text": "Big"}}]}
    ]
    with pytest.raises(Forbidden):
        await books.data("books", fields="sections.item.text")


async def test_functions(books: Library) -> None:
    rows = await books.data(
        "books", fields="year(published),week(published),count(reviews),second(added)", limit=1
    )
    assert rows == [
        {"published_year": "2024", "published_week": "1", "reviews_count": "2", "added_second": "30.123456"}
    ]
    assert await books.data("reviews", fields="book.count(tags),count(book.reviews)", limit=1) == [
        {"book": {"tags_count": "2", "reviews_count": "2"}}
    ]
    assert await books.data("books", {"fields": "count(extra)", "filter": {"id": {"_in": [1, 3, 4]}}}) == [
        {"extra_count": None},
        {"extra_count": 1},
        {"extra_count": None},
    ]


async def test_json_paths(books: Library) -> None:
    row = (
        await books.data(
            "books", fields="json(extra, color),json(extra, size.w),json(extra, list[1])", limit=1
        )
    )[0]
    assert row == {"extra_color_json": "red", "extra_size_w_json": 3, "extra_list_1_json": 2}
    assert await books.data("books", fields="json(extra, nothing.there)", limit=1) == [
        {"extra_nothing_there_json": None}
    ]


@pytest.mark.parametrize(
    "fields",
    [
        "json(extra)",
        "json(title, a)",
        "json(extra, a.*)",
        "json(extra, $.a)",
        "hour(published)",
        "count(author)",
        "decade(published)",
        "year(year(published))",
        "year(published",
        "json(extra, a.b.c.d.e.f.g.h.i.j.k)",
    ],
)
async def test_functions_that_make_no_sense(books: Library, fields: str) -> None:
    with pytest.raises(InvalidQuery):
        await books.data("books", fields=fields)


async def test_aliases(books: Library) -> None:
    raw = {
        "fields": "id,top.stars,low.stars,y,t",
        "alias": {"top": "reviews", "low": "reviews", "y": "year(published)", "t": "title"},
        "deep": {"top": {"_filter": {"stars": {"_gt": 3}}}, "low": {"_filter": {"stars": {"_lt": 3}}}},
        "limit": 1,
    }
    assert await books.data("books", raw) == [
        {"id": 1, "top": [{"stars": 4}], "low": [{"stars": 1}], "y": "2024", "t": "One"}
    ]
    nested = {"fields": "reviews.t", "deep": {"reviews": {"_alias": {"t": "text"}, "_limit": 1}}, "limit": 1}
    assert await books.data("books", nested) == [{"reviews": [{"t": "good"}]}]
    with pytest.raises(Forbidden):
        await books.data("books", {"fields": "id", "alias": {"x": "title"}, "sort": "x"})


async def test_names_that_are_not_there(books: Library) -> None:
    with pytest.raises(Forbidden, match=r'fields "a", "b" in collection "books".*Queried in root'):
        await books.data("books", fields="a,id,b")
    with pytest.raises(Forbidden, match=r'field "x" in collection "countries".*Queried in "author\.country"'):
        await books.data("books", fields="author.country.x")
    with pytest.raises(Forbidden, match='collection "nothing"'):
        await books.data("nothing")
    with pytest.raises(Forbidden, match=r'field "nosuch" in collection "countries".*in "author\.country"'):
        await books.data("books", fields="author.country.nosuch.x")
    assert await books.data("books", fields="title.y,id", limit=1) == [{"id": 1}]
    assert await books.data("books", fields="title.y", limit=2) == [{}, {}]


async def test_one_item(books: Library) -> None:
    assert await books.item("books", "2", "fields=title") == {"title": "Two"}
    assert await books.item("books", "99") is None
    assert await books.item("books", "2", "filter[title]=One") is None
    assert await books.item("books", "2", "limit=0") is None
    assert await books.item("books", "2", "aggregate[count]=*&meta=*") == {"count": "1"}
    assert await books.item("pictures", PICTURE.upper(), "fields=url") == {"url": "a.png"}
    for key in ("abc", "1.5", "99999999999", "", "1,2"):
        with pytest.raises(Forbidden):
            await books.item("books", key)
    with pytest.raises(Forbidden):
        await books.item("pictures", "1")


async def test_composite_keys(books: Library) -> None:
    assert await books.item("prices", "1,EUR", "fields=amount") == {"amount": 6}
    assert await books.item("prices", "1,a%2Cb", "fields=amount") == {"amount": 5}
    assert sorted(await books.data("prices", "", rights(prices=rule()))) == ["1,EUR", "1,a%2Cb"]
    for key in ("1", "x,EUR", "1,EUR,2"):
        with pytest.raises(Forbidden):
            await books.item("prices", key)


async def test_by_keys(books: Library) -> None:
    async def keys(*wanted: str, raw: str = "fields=id") -> Any:
        answer = await books.reader.by_keys(books.model, ADMINISTRATOR, Caller(), "books", wanted, raw)
        return [row["id"] for row in json.loads(answer)["data"]]

    assert await keys("3", "1", "99") == [1, 3]
    assert await keys() == []
    assert await keys("3", "1", raw="fields=id&limit=1&sort=-id") == [3]


async def test_singletons(books: Library) -> None:
    assert json.loads(await books.reader.singleton(books.model, ADMINISTRATOR, Caller(), "shop")) == {
        "data": {"id": None}
    }
    assert json.loads(
        await books.reader.singleton(books.model, ADMINISTRATOR, Caller(), "shop", "fields=name&meta=*")
    ) == {
        "data": {},
        "meta": {"total_count": 0, "filter_count": 0},
    }


async def test_names_longer_than_those_of_postgres(books: Library) -> None:
    long, other = "n" * 63 + "a", "n" * 63 + "b"
    raw: dict[str, Any] = {
        "alias": {long: "title", other: "reviews"},
        "fields": ["id", long, f"{other}.stars"],
    }
    assert await books.item("books", "2", raw) == {"id": 2, long: "Two", other: [{"stars": 5}]}
    raw = {
        "fields": [f"author.{long}", f"json(extra, {other})"],
        "deep": {"author": {"_alias": {long: "name"}}},
    }
    assert await books.item("books", "2", raw) == {"author": {long: "Ann"}, f"extra_{other}_json": None}


async def test_a_filter_on_the_key_yields_to_the_key_of_the_path(books: Library) -> None:
    assert await books.item("books", "2", {"fields": "id", "filter": {"id": 1, "title": "Two"}}) == {"id": 2}
    assert await books.item("books", "2", {"fields": "id", "filter": {"id": {"_gt": 5, "_lt": 9}}}) == {
        "id": 2
    }
    assert await books.item("books", "2", {"fields": "id", "filter": {"id": 2, "title": "One"}}) is None
    assert await books.item("books", "2", {"fields": "id", "filter": {"_or": [{"id": 1}, {"id": 3}]}}) is None


@pytest.mark.parametrize(
    "raw", [{"alias": {"a\0": "title"}}, {"deep": {"reviews": {"_alias": {"\0": "text"}}}}]
)
async def test_a_name_can_not_hold_a_nul_character(books: Library, raw: dict[str, Any]) -> None:
    with pytest.raises(InvalidQuery):
        await books.data("books", raw)
