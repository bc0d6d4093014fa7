import base64

import pytest

from domain.errors import InvalidQuery
from tests.reading.conftest import Library


@pytest.mark.parametrize(
    "sort",
    [
        "id",
        "-id",
        "pages",
        "-pages",
        "published,-title",
        "-author.name,pages",
        "-count(reviews)",
        "reviews.stars",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 4])
async def test_pages_behind_cursors_are_the_whole_list(books: Library, sort: str, size: int) -> None:
    whole = [
        row["id"] for row in await books.data("books", f"fields=id&sort={sort},id".replace("id,id", "id"))
    ]
    found: list[int] = []
    after = ""
    while True:
        answer = await books.list("books", f"fields=id&sort={sort}&limit={size}&meta=cursor{after}")
        found.extend(row["id"] for row in answer["data"])
        if answer["meta"]["cursor"] is None:
            break
        after = f"&after={answer['meta']['cursor']}"
    assert found == whole


async def test_a_cursor_goes_with_counts_relations_and_composite_keys(books: Library) -> None:
    answer = await books.list("books", "fields=id,reviews.stars&limit=1&meta=cursor,total_count")
    assert answer["meta"]["total_count"] == 5
    assert answer["data"] == [{"id": 1, "reviews": [{"stars": 4}, {"stars": 1}]}]
    answer = await books.list("prices", "limit=1&meta=cursor&fields=currency")
    cursor = answer["meta"]["cursor"]
    assert await books.data("prices", f"after={cursor}&fields=currency") == [{"currency": "a,b"}]


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "after", ["x", "!!!", encoded("[1]"), encoded('["1","2"]'), encoded('["a"]'), encoded('["\\u0000"]')]
)
async def test_what_is_no_cursor(books: Library, after: str) -> None:
    with pytest.raises(InvalidQuery):
        await books.data("books", {"after": after, "sort": "id"})
