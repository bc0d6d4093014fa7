from typing import Any

import pytest

from domain.errors import Forbidden, InvalidQuery
from domain.query.limits import QueryLimits
from projections.reading.reader import Reader
from tests.reading.conftest import Library


async def test_sorting(books: Library) -> None:
    async def order(sort: str, collection: str = "books") -> list[int]:
        return [row["id"] for row in await books.data(collection, fields="id", sort=sort)]

    assert await order("-pages") == [4, 3, 2, 1, 5]
    assert await order("author.name,-id") == [3, 2, 1, 4, 5]
    assert await order("-author.country.name,id") == [5, 4, 1, 2, 3]
    assert await order("-count(reviews),id") == [1, 2, 4, 3, 5]
    assert await order("year(published),id") == [3, 1, 2, 4, 5]
    assert await order("reviews.stars,id") == [1, 4, 2, 3, 5]
    assert await order("-reviews.stars,id") == [3, 5, 2, 1, 4]
    assert await order("sections.item:headings.text,id") == [1, 2, 3, 4, 5]
    assert await order("json(extra, color),id") == [2, 1, 3, 4, 5]
    assert await order("-id,id") == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("sort", ["nope", "+id", "author.nope", "title.x", "x.y"])
async def test_sorting_by_what_is_not_there(books: Library, sort: str) -> None:
    with pytest.raises(Forbidden):
        await books.data("books", sort=sort)


async def test_sorting_by_json_is_refused(books: Library) -> None:
    with pytest.raises(InvalidQuery):
        await books.data("books", sort="extra")


async def test_windows(books: Library) -> None:
    async def page(raw: str) -> list[int]:
        return [row["id"] for row in await books.data("books", f"fields=id&sort=id&{raw}")]

    assert await page("limit=2&offset=1") == [2, 3]
    assert await page("limit=2&page=2&offset=1") == [3, 4]
    assert await page("limit=-1&page=2") == [1, 2, 3, 4, 5]
    assert await page("limit=0") == []
    assert await page("offset=100") == []
    assert await page(f"limit=2&page={2**62}") == []


async def test_default_order_is_the_relations_then_the_collections_then_the_key(books: Library) -> None:
    assert await books.data("authors", fields="books.id", limit=1) == [
        {"books": [{"id": 2}, {"id": 3}, {"id": 1}]}
    ]


async def test_counts(books: Library) -> None:
    answer = await books.list(
        "books", filter={"reviews": {"stars": {"_gt": 0}}}, meta="*", limit=1, fields="id", sort="id"
    )
    assert answer == {"data": [{"id": 1}], "meta": {"total_count": 5, "filter_count": 3}}
    assert await books.list("books", "meta=filter_count&limit=0&search=t") == {
        "data": [],
        "meta": {"filter_count": 2},
    }


async def test_search(books: Library) -> None:
    async def found(term: str) -> list[int]:
        return [row["id"] for row in await books.data("books", fields="id", search=term, sort="id")]

    assert await found("ONE") == [1]
    assert await found("300") == [3]
    assert await found("9.9") == [1]
    assert await found("9.90") == []
    assert await found("1e2") == []
    assert await found("99999999999") == []
    assert await found("x,y") == []
    assert await found("%") == [1, 2, 3, 4, 5]
    assert await books.data("authors", fields="id", search="x") == []
    assert await books.data("sections", fields="id", search="headings\\") == []


async def test_deep(books: Library) -> None:
    async def authors(**deep: object) -> list[list[int]]:
        rows = await books.data("authors", {"fields": "books.id", "deep": {"books": deep}, "sort": "id"})
        return [[book["id"] for book in row["books"]] for row in rows]

    assert await authors(_limit=1) == [[2], [4], []]
    assert await authors(_limit=1, _sort="-pages") == [[3], [4], []]
    assert await authors(_limit=1, _offset=1) == [[3], [], []]
    assert await authors(_limit=2, _page=2) == [[1], [], []]
    assert await authors(_limit=50, _sort="-id") == [[3, 2, 1], [4], []]
    assert await authors(_limit=0) == [[], [], []]
    assert await authors(_limit=-1, _search="t") == [[2, 3], [], []]
    assert await authors(_sort="-author.country.name,-pages") == [[3, 2, 1], [4], []]
    assert await authors(_filter={"reviews": {"stars": {"_gte": 3}}}) == [[2, 1], [4], []]


async def test_deep_on_one_hides_what_does_not_match(books: Library) -> None:
    raw = {
        "fields": "id,author.name",
        "deep": {"author": {"_filter": {"age": {"_gt": 30}}}},
        "sort": "id",
        "limit": 4,
    }
    assert await books.data("books", raw) == [
        {"id": 1, "author": None},
        {"id": 2, "author": None},
        {"id": 3, "author": None},
        {"id": 4, "author": {"name": "Bob"}},
    ]


async def test_deep_on_any(books: Library) -> None:
    raw = {
        "fields": "sections.item:headings.text",
        "deep": {
            "sections": {"item:headings": {"_filter": {"text": "no"}}, "_filter": {"collection": "headings"}}
        },
        "limit": 1,
    }
    assert await books.data("books", raw) == [{"sections": [{"item": None}]}]


async def test_a_selected_first_key_puts_nulls_last_in_both_directions(books: Library) -> None:
    selected = {"fields": "reviews.stars", "deep": {"reviews": {"_sort": "-stars"}}, "limit": 1}
    assert await books.data("books", selected) == [{"reviews": [{"stars": 4}, {"stars": 1}]}]
    rows = await books.data(
        "countries", {"fields": "authors.age", "deep": {"authors": {"_sort": "-age"}}, "filter": {"id": 1}}
    )
    assert rows == [{"authors": [{"age": 30}]}]


async def test_groups(books: Library) -> None:
    assert await books.data(
        "books", {"aggregate": {"count": ["*"], "sum": "pages"}, "groupBy": "author"}
    ) == [
        {"author": 1, "count": "3", "sum": {"pages": "600"}},
        {"author": 2, "count": "1", "sum": {"pages": None}},
        {"author": None, "count": "1", "sum": {"pages": "1"}},
    ]
    assert await books.data("books", "groupBy=year(published)&sort=-year(published)") == [
        {"published_year": None},
        {"published_year": "2024"},
        {"published_year": "2022"},
    ]
    assert await books.data("books", "aggregate[countAll]=*") == [{}]
    assert await books.data("books", "aggregate[count]=*,id") == [{"count": {"*": "5", "id": "5"}}]
    assert await books.data("books", "aggregate[countDistinct]=extra&aggregate[min]=published") == [
        {"countDistinct": {"extra": "3"}, "min": {"published": "2022-03-05"}}
    ]


async def test_a_filter_through_many_multiplies_what_is_aggregated(books: Library) -> None:
    raw = {"aggregate": {"count": "*", "countDistinct": "id"}, "filter": {"reviews": {"stars": {"_gt": 0}}}}
    assert await books.data("books", raw) == [{"count": "4", "countDistinct": {"id": "3"}}]
    raw = {"aggregate": {"count": "*"}, "filter": {"reviews": {"_some": {"stars": {"_gt": 0}}}}}
    assert await books.data("books", raw) == [{"count": "3"}]
    raw = {"aggregate": {"count": "*"}, "filter": {"books": {"reviews": {"stars": {"_gt": 0}}}}}
    assert await books.data("authors", raw) == [{"count": "4"}]


async def test_groups_across_relations(books: Library) -> None:
    raw = {
        "groupBy": "author.country.name",
        "aggregate": {"count": "*", "max": "author.age"},
        "sort": "-count",
    }
    assert (await books.data("books", raw))[0] == {
        "author.country.name": "Austria",
        "count": "3",
        "max": {"author.age": 30},
    }


async def test_groups_across_many_join_their_rows(books: Library) -> None:
    raw: dict[str, Any] = {"groupBy": "id", "aggregate": {"count": "*", "avg": "reviews.stars"}}
    assert [
        (row["count"], row["avg"]["reviews.stars"] and float(row["avg"]["reviews.stars"]))
        for row in await books.data("books", raw)
    ] == [("2", 2.5), ("1", 5.0), ("1", None), ("1", 3.0), ("1", None)]
    raw = {"groupBy": "tags.tag.label", "aggregate": {"countDistinct": "id", "count": "reviews.id"}}
    assert await books.data("books", raw) == [
        {"tags.tag.label": "new", "countDistinct": {"id": "1"}, "count": {"reviews.id": "2"}},
        {"tags.tag.label": "old", "countDistinct": {"id": "2"}, "count": {"reviews.id": "3"}},
        {"tags.tag.label": None, "countDistinct": {"id": "3"}, "count": {"reviews.id": "1"}},
    ]
    raw = {"groupBy": "books.reviews.stars", "sort": "-books.reviews.stars", "limit": 2}
    assert await books.data("authors", raw) == [
        {"books.reviews.stars": None},
        {"books.reviews.stars": 5},
    ]
    raw = {"groupBy": "sections.item:headings.text", "aggregate": {"max": "sections.sort"}}
    assert await books.data("books", raw) == [
        {"sections.item:headings.text": "Big", "max": {"sections.sort": 2}},
        {"sections.item:headings.text": None, "max": {"sections.sort": 1}},
    ]
    raw = {"groupBy": "books.year(published)", "aggregate": {"count": "*"}}
    assert await books.data("authors", raw) == [
        {"books.published_year": "2022", "count": "1"},
        {"books.published_year": "2024", "count": "1"},
        {"books.published_year": None, "count": "3"},
    ]


async def test_a_filter_along_the_path_of_a_group_binds_its_row(books: Library) -> None:
    raw = {
        "groupBy": "reviews.stars",
        "aggregate": {"count": "*", "max": "reviews.text"},
        "filter": {"reviews": {"stars": {"_gt": 3}}},
    }
    assert await books.data("books", raw) == [
        {"reviews.stars": 4, "count": "1", "max": {"reviews.text": "good"}},
        {"reviews.stars": 5, "count": "1", "max": {"reviews.text": "great"}},
    ]
    raw["filter"] = {"reviews": {"_some": {"stars": {"_gt": 3}}}}
    assert [row["reviews.stars"] for row in await books.data("books", raw)] == [1, 4, 5]


async def test_more_relations_than_allowed(books: Library) -> None:
    reader = Reader(books.database, QueryLimits(relations=2))
    few = Library(books.database, reader, books.model)
    assert await few.data("books", "fields=author.name,reviews.stars&limit=1")
    for raw, path in {
        "fields=author.name,reviews.stars,tags.tag": "tags",
        "fields=*": "sections",
        "fields=author.name&sort=reviews.stars,author.country.name": "author",
        "fields=id&filter[author][country][name]=x&filter[reviews][stars]=1": "reviews",
        "groupBy=author.country.name&aggregate[sum]=reviews.stars": "reviews",
        "fields=sections.item:headings.text,sections.item:pictures.url": "sections.item:pictures",
    }.items():
        with pytest.raises(InvalidQuery, match=f'more than 2 relations, at "{path}"'):
            await few.data("books", raw)


@pytest.mark.parametrize(
    "raw",
    [
        "aggregate[sum]=title",
        "aggregate[avg]=published",
        "aggregate[count]=reviews",
        "aggregate[sum]=*",
        "aggregate[count]=author.books",
        "aggregate[count]=year(published)",
        "groupBy=reviews.book.extra",
        "groupBy=year(published).x",
        "groupBy=$FOLLOW(reviews,book).stars",
        "groupBy=sections.item.text",
        "groupBy=reviews",
        "groupBy=extra",
        "groupBy=author&sort=title",
    ],
)
async def test_groups_that_make_no_sense(books: Library, raw: str) -> None:
    with pytest.raises(InvalidQuery):
        await books.data("books", raw)


async def test_groups_of_what_is_not_there(books: Library) -> None:
    for raw in ("groupBy=nope", "aggregate[count]=nope", "groupBy=author.nope", "groupBy=id&sort=nope"):
        with pytest.raises(Forbidden):
            await books.data("books", raw)
