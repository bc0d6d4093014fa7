"""Random queries on a running database: each is answered, or refused with a 400 or 403."""

from __future__ import annotations

import random
from typing import Any

import pytest

from domain.errors import ActaError
from tests.reading.conftest import Library

NAMES = [
    "id",
    "title",
    "pages",
    "price",
    "published",
    "added",
    "extra",
    "labels",
    "author",
    "reviews",
    "tags",
    "sections",
    "item",
    "item:headings",
    "item:pictures",
    "collection",
    "stars",
    "text",
    "label",
    "tag",
    "name",
    "age",
    "country",
    "books",
    "secret",
    "*",
    "nope",
    "year(published)",
    "count(reviews)",
    "json(extra,",
    "color)",
    "hour(added)",
    "count(extra)",
    "$FOLLOW(reviews,book)",
    "_and",
    "id.x",
]
OPERATORS = [
    "_eq",
    "_neq",
    "_lt",
    "_gte",
    "_in",
    "_nin",
    "_between",
    "_nbetween",
    "_null",
    "_nnull",
    "_empty",
    "_contains",
    "_icontains",
    "_starts_with",
    "_some",
    "_none",
    "_and",
    "_or",
    "_intersects",
    "_what",
]
VALUES: tuple[Any, ...] = (
    1,
    0,
    -5,
    1.5,
    "1",
    "x",
    "",
    "true",
    None,
    True,
    [1, 2],
    ["a"],
    [],
    {},
    "2024-01-01",
    "$NOW",
    "$NOW(-1 day)",
    "$CURRENT_USER",
    "$CURRENT_ROLES",
    "$CURRENT_USER.role.name",
    2**40,
    "'",
    "\\",
    "%",
    "99999999999999999999",
    "NaN",
)


def random_filter(chance: random.Random, depth: int) -> Any:
    if depth == 0 or chance.random() < 0.1:
        return chance.choice(VALUES)
    if chance.random() < 0.2:
        return {
            chance.choice(["_and", "_or"]): [
                random_filter(chance, depth - 1) for _ in range(chance.randint(0, 3))
            ]
        }
    if chance.random() < 0.4:
        return {
            chance.choice(NAMES): {
                chance.choice(OPERATORS): random_filter(chance, depth - 2 if depth > 1 else 0)
            }
        }
    return {chance.choice(NAMES): random_filter(chance, depth - 1)}


def random_path(chance: random.Random) -> str:
    return ".".join(chance.choice(NAMES) for _ in range(chance.choice([1, 1, 1, 2, 2, 3])))


def random_query(chance: random.Random) -> dict[str, Any]:
    query: dict[str, Any] = {"limit": chance.choice([0, 1, 3, -1])}
    if chance.random() < 0.7:
        query["fields"] = [random_path(chance) for _ in range(chance.randint(1, 4))]
    if chance.random() < 0.5:
        query["filter"] = random_filter(chance, chance.randint(1, 4))
    if chance.random() < 0.3:
        query["sort"] = [chance.choice(["", "-"]) + random_path(chance) for _ in range(chance.randint(1, 2))]
    if chance.random() < 0.2:
        query["search"] = chance.choice(["a", "1", "%", "1.5", "aaaaaaaa-0000-4000-8000-000000000001", "'"])
    if chance.random() < 0.2:
        level = {
            "_limit": chance.choice([0, 1, -1, 30]),
            "_filter": random_filter(chance, 2),
            "_sort": random_path(chance),
        }
        query["deep"] = {chance.choice(NAMES): level}
    if chance.random() < 0.15:
        functions = ["count", "countDistinct", "sum", "avg", "min", "max", "countAll", "sumDistinct"]
        query["aggregate"] = {chance.choice(functions): [chance.choice(NAMES)]}
    if chance.random() < 0.1:
        query["groupBy"] = [chance.choice(NAMES) for _ in range(chance.randint(1, 2))]
    if chance.random() < 0.2:
        query["meta"] = chance.choice(["*", "filter_count", "cursor", "nope"])
    return query


@pytest.mark.parametrize("seed", range(4))
async def test_random_queries(books: Library, seed: int) -> None:
    chance = random.Random(seed)
    answered = 0
    for _ in range(400):
        query = random_query(chance)
        collection = chance.choice(["books", "authors", "reviews", "sections", "prices"])
        try:
            await books.list(collection, query)
        except ActaError as error:
            status = error.status
        else:
            answered += 1
            continue
        assert status in (400, 403), (collection, query)
    assert answered > 20
