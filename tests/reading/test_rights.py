"""Rights inside reads: access-control.md, sections 2 to 4."""

from typing import Any

import pytest

from domain.access.rights import Rights, Rule
from domain.errors import Forbidden, InvalidQuery
from tests.reading.conftest import Library


def rule(*fields: str, **filter: Any) -> Rule:
    return Rule(None if "*" in fields else frozenset(fields), filter or None)


def rights(**collections: Any) -> Rights:
    rules = {
        (name, "read"): tuple(given) if isinstance(given, list) else (given,)
        for name, given in collections.items()
    }
    return Rights(key=repr(rules), rules=rules)  # type: ignore[arg-type]


LONG = {"pages": {"_gte": 200}}


async def test_rows_depend_on_the_fields_asked_for(books: Library) -> None:
    mine = rights(books=[rule("id", "title"), rule("pages", "price", **LONG)])
    assert await books.data("books", "fields=id,pages", mine) == [
        {"id": 1, "pages": None},
        {"id": 2, "pages": 200},
        {"id": 3, "pages": 300},
        {"id": 4, "pages": None},
        {"id": 5, "pages": None},
    ]
    assert await books.data("books", "fields=pages", mine) == [{"pages": 200}, {"pages": 300}]
    assert (await books.data("books", "", mine))[0] == {"id": 1, "title": "One", "pages": None, "price": None}


async def test_the_key_is_a_field_like_any_other(books: Library) -> None:
    mine = rights(books=[rule("title"), rule("id", **LONG)])
    assert await books.data("books", "fields=id,title&sort=title&limit=2", mine) == [
        {"id": None, "title": "Four"},
        {"id": None, "title": "One"},
    ]
    without = rights(books=rule("title"))
    assert await books.data("books", "limit=1", without) == [{"title": "Four"}]
    with pytest.raises(Forbidden, match='field "id"'):
        await books.item("books", "1", "fields=title", without)


async def test_equal_filters_unite_their_fields(books: Library) -> None:
    mine = rights(books=[rule("id", **LONG), rule("title", **LONG)])
    assert await books.data("books", "", mine) == [{"id": 2, "title": "Two"}, {"id": 3, "title": "Three"}]


async def test_refusals(books: Library) -> None:
    mine = rights(books=rule("id", "author", "reviews"), authors=rule("id", "books"))
    for raw in ("fields=title", "filter[title]=x", "sort=title", "aggregate[count]=title", "groupBy=title"):
        with pytest.raises(Forbidden, match=r'field "title".*Queried in root'):
            await books.data("books", raw, mine)
    with pytest.raises(Forbidden, match=r'field "name" in collection "authors".*Queried in "author"'):
        await books.data("books", "filter[author][name]=x", mine)
    with pytest.raises(Forbidden, match='collection "reviews"'):
        await books.data("books", "filter[reviews][text]=x", mine)
    with pytest.raises(Forbidden, match='collection "tags"'):
        await books.data("tags", "", mine)


async def test_what_is_missing_is_reported_before_what_is_forbidden(books: Library) -> None:
    mine = rights(books=rule("id"))
    with pytest.raises(Forbidden, match='field "nope"'):
        await books.data("books", "fields=title&filter[nope]=1", mine)
    with pytest.raises(Forbidden, match='field "pages"'):
        await books.data("books", "filter[pages][_contains]=x", mine)


async def test_wildcards_and_dropped_paths(books: Library) -> None:
    mine = rights(books=rule("id", "author", "reviews", "sections"), authors=rule("id", "name"))
    assert await books.data("books", "limit=1", mine) == [{"id": 1, "author": 1}]
    assert await books.data("books", "fields=*.*&limit=1", mine) == [
        {"id": 1, "author": {"id": 1, "name": "Ann"}}
    ]
    assert await books.data("books", "fields=id,reviews.text&limit=1", mine) == [{"id": 1}]
    assert await books.data("books", "fields=reviews.text&limit=2", mine) == [1, 2]
    with pytest.raises(Forbidden, match=r'"age".*Queried in "author"'):
        await books.data("books", "fields=author.age", mine)


async def test_no_fields_is_bare_keys(books: Library) -> None:
    assert await books.data("books", "", rights(books=rule())) == [1, 2, 3, 4, 5]


async def test_hidden_related_rows(books: Library) -> None:
    mine = rights(
        books=rule("*"),
        authors=rule("*", id={"_eq": 1}),
        reviews=rule("*", stars={"_gt": 3}),
        tags=rule("*"),
        books_tags=rule("*", id={"_neq": 2}),
        sections=rule("*"),
        headings=rule("*", id={"_eq": 0}),
    )
    raw = "fields=author,author.name,reviews.stars,reviews,count(reviews),count(tags)&limit=1"
    assert await books.data("books", raw, mine) == [
        {"author": {"name": "Ann"}, "reviews": [{"stars": 4}], "reviews_count": "1", "tags_count": "1"}
    ]
    assert await books.data("books", "fields=author,author.name&filter[id]=4", mine) == [{"author": None}]
    assert await books.data("books", "fields=author&filter[id]=4", mine) == [{"author": 2}]
    assert await books.data("books", "fields=sections.item.id&limit=1", mine) == [
        {"sections": [{"item": None}, {"item": None}]}
    ]


async def test_conditional_relations_are_null(books: Library) -> None:
    mine = rights(
        books=[rule("id"), rule("reviews", "author", **LONG)], reviews=rule("*"), authors=rule("id", "name")
    )
    assert await books.data("books", "fields=id,reviews,author.name,count(reviews)&limit=2", mine) == [
        {"id": 1, "reviews": None, "author": None, "reviews_count": None},
        {"id": 2, "reviews": [3], "author": {"name": "Ann"}, "reviews_count": "1"},
    ]


async def test_filter_sort_and_aggregate_see_what_the_caller_sees(books: Library) -> None:
    mine = rights(
        books=[rule("id", "author", "reviews"), rule("pages", **LONG)],
        authors=rule("id", "name", id={"_eq": 2}),
        reviews=rule("*", stars={"_gt": 3}),
    )
    assert await books.ids("books", {"pages": {"_lt": 250}}, mine) == [2]
    assert await books.ids("books", {"author": {"name": {"_nnull": True}}}, mine) == [4]
    assert await books.ids("books", {"author": {"name": {"_null": True}}}, mine) == [1, 2, 3, 5]
    assert await books.ids("books", {"reviews": {"stars": {"_lt": 4}}}, mine) == []
    assert await books.ids("books", {"reviews": {"_none": {"stars": {"_gt": 0}}}}, mine) == [3, 4, 5]
    assert await books.ids("books", {"count(reviews)": 1}, mine) == [1, 2]
    rows = await books.data("books", "fields=id&sort=-pages,id&limit=3", mine)
    assert [row["id"] for row in rows] == [1, 4, 5]
    rows = await books.data("books", "fields=id&sort=-author.name,id&limit=2", mine)
    assert [row["id"] for row in rows] == [1, 2]
    assert await books.data("books", "aggregate[sum]=pages", mine) == [{"sum": {"pages": "500"}}]
    assert await books.data("books", "aggregate[count]=*", mine) == [{"count": "5"}]
    assert await books.data("books", "groupBy=pages&sort=pages", mine) == [{"pages": 200}, {"pages": 300}]


async def test_search_sees_permitted_fields_in_permitted_rows(books: Library) -> None:
    mine = rights(books=[rule("id"), rule("title", **LONG)])
    assert await books.data("books", "fields=id&search=o", mine) == [{"id": 2}]
    assert await books.data("books", "fields=sort&search=one", rights(books=rule("sort"))) == []


async def test_counts_are_of_visible_rows(books: Library) -> None:
    mine = rights(books=rule("id", "title", **LONG))
    answer = await books.list("books", "meta=*&filter[title]=Two&fields=id", mine)
    assert answer == {"data": [{"id": 2}], "meta": {"total_count": 2, "filter_count": 1}}


async def test_one_item(books: Library) -> None:
    mine = rights(books=[rule("id"), rule("id", "title", **LONG)])
    assert await books.item("books", "1", "fields=id", mine) == {"id": 1}
    assert await books.item("books", "1", "fields=title", mine) is None
    assert await books.item("books", "2", "fields=title", mine) == {"title": "Two"}


async def test_rules_may_use_relations_and_quantifiers(books: Library) -> None:
    mine = rights(books=rule("id", reviews={"_some": {"stars": {"_gt": 3}}}))
    assert await books.data("books", "", mine) == [{"id": 1}, {"id": 2}]
    mine = rights(
        books=rule("id", _or=[{"author": {"country": {"name": "Belgium"}}}, {"author": {"_null": True}}])
    )
    assert await books.data("books", "", mine) == [{"id": 4}, {"id": 5}]
    mine = rights(books=rule("id", id={"_in": []}))
    assert await books.data("books", "", mine) == []


async def test_a_rule_about_a_missing_field_refuses_the_query(books: Library) -> None:
    with pytest.raises(InvalidQuery, match='Invalid filter key "nope" on "books"'):
        await books.data("books", "", rights(books=rule("id", nope={"_eq": 1})))


async def test_groups_across_relations_see_permitted_rows_and_values(books: Library) -> None:
    stars = rule("book", "stars", stars={"_gte": 4})
    mine = rights(books=rule("id", "reviews", "author"), reviews=stars, authors=rule("name", name="Ann"))
    assert await books.data("books", "groupBy=reviews.stars&aggregate[count]=*", mine) == [
        {"reviews.stars": 4, "count": "1"},
        {"reviews.stars": 5, "count": "1"},
        {"reviews.stars": None, "count": "3"},
    ]
    assert await books.data("books", "groupBy=author.name&aggregate[sum]=reviews.stars", mine) == [
        {"author.name": "Ann", "sum": {"reviews.stars": "9"}},
        {"author.name": None, "sum": {"reviews.stars": None}},
    ]
    for raw in ("groupBy=reviews.text", "aggregate[max]=reviews.text", "groupBy=tags.tag.label"):
        with pytest.raises(Forbidden):
            await books.data("books", raw, mine)
    with pytest.raises(Forbidden):
        await books.data("books", "groupBy=reviews.stars", rights(books=rule("reviews")))
