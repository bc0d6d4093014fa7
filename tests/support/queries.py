"""Random queries on the library, sensible and not: what fuzzing sends."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

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


BAD_VALUES: list[Any] = json.loads(Path(__file__).with_name("bad_values.json").read_text())
"""JSON of every kind that is seldom expected."""
INJECTIONS = (
    "'; DROP TABLE books; --",
    '"; DROP TABLE books; --',
    "') OR 1=1; --",
    '"."id") FROM books; DELETE FROM books; --',
    "x' UNION SELECT password FROM acta.directus_users --",
    "(SELECT pg_sleep(60))",
    "pg_sleep(60)",
    "year(published); DROP TABLE books",
    "count(reviews) FROM books --",
    "json(extra, color'); DROP TABLE books; --)",
    "id::text",
    "t0.id",
    "acta.events",
    "$1",
    "%s",
    "%(x)s",
    "{0}",
    "\\",
    "\\'",
    "E'\\x00'",
    "$$ || pg_sleep(60) || $$",
    "/*",
    "#n",
    "acta row",
    "a\x00b",
    "\U0001f600\u2028;",
    "x" * 300,
)
"""What must never be anything but a name nobody knows, or a value."""


def random_filter(chance: random.Random, depth: int) -> Any:
    """A filter, or something in its place."""
    if depth == 0 or chance.random() < 0.1:
        return chance.choice(INJECTIONS) if chance.random() < 0.1 else chance.choice(VALUES)
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
    """A path of up to three steps, hardly ever a sensible one."""
    if chance.random() < 0.05:
        return chance.choice(INJECTIONS)
    return ".".join(chance.choice(NAMES) for _ in range(chance.choice([1, 1, 1, 2, 2, 3])))


def random_query(chance: random.Random) -> dict[str, Any]:
    """The parameters of a read, as a SEARCH body has them."""
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
    if chance.random() < 0.15:
        name = chance.choice(("alias", "after", "version", "backlink", "export", "page", "offset", "deep"))
        query[name] = chance.choice((*VALUES, *INJECTIONS, {chance.choice(INJECTIONS): random_path(chance)}))
    return query


# -- queries that make sense -------------------------------------------------------------------------------

COLUMNS: dict[str, dict[str, str]] = {
    "books": {
        "id": "number",
        "title": "text",
        "pages": "number",
        "price": "number",
        "published": "date",
        "added": "moment",
        "extra": "json",
        "labels": "text",
        "count(reviews)": "number",
        "year(published)": "number",
        "json(extra, color)": "text",
    },
    "authors": {"id": "number", "name": "text", "age": "number", "count(books)": "number"},
    "countries": {"id": "number", "name": "text"},
    "reviews": {"id": "number", "text": "text", "stars": "number"},
    "tags": {"id": "number", "label": "text"},
    "books_tags": {"id": "number"},
    "sections": {"id": "number", "collection": "text", "sort": "number"},
    "prices": {"currency": "text", "amount": "number"},
    "headings": {"id": "number", "text": "text"},
    "pictures": {"url": "text"},
}
TO_ONE = {
    "books": {"author": "authors"},
    "authors": {"country": "countries"},
    "reviews": {"book": "books"},
    "books_tags": {"book": "books", "tag": "tags"},
    "sections": {"book": "books", "item:headings": "headings", "item:pictures": "pictures"},
}
TO_MANY = {
    "books": {"reviews": "reviews", "tags": "books_tags", "sections": "sections"},
    "authors": {"books": "books"},
    "countries": {"authors": "authors"},
    "tags": {"books": "books_tags"},
}
FITTING: dict[str, list[dict[str, Any]]] = {
    "number": [
        {"_eq": 1}, {"_neq": "2"}, {"_gt": 1}, {"_between": [1, 200]}, {"_in": [1, 3]}, {"_nnull": True}
    ],
    "text": [
        {"_eq": "One"}, {"_contains": "o"}, {"_starts_with": "%"}, {"_in": ["a", "b"]}, {"_empty": False}
    ],
    "date": [{"_gt": "2023-01-01"}, {"_lt": "$NOW"}, {"_null": True}],
    "moment": [{"_lte": "$NOW(-1 day)"}, {"_nnull": True}],
    "json": [{"_null": True}, {"_nnull": True}],
}  # fmt: skip


def fitting_query(chance: random.Random, collection: str) -> dict[str, Any]:
    """The parameters of a read that names what is there."""
    query: dict[str, Any] = {"limit": chance.choice([0, 1, 5, -1])}
    query["fields"] = ["*", *(_path(chance, collection, 3) for _ in range(chance.randint(0, 4)))]
    if chance.random() < 0.7:
        query["filter"] = _filter(chance, collection, 4)
    if chance.random() < 0.5:
        sorts = [_path(chance, collection, 2, many=False) for _ in range(chance.randint(1, 3))]
        query["sort"] = [chance.choice(("", "-")) + name for name in sorts if name != "extra"]
    if chance.random() < 0.3 and collection in TO_MANY:
        name, target = chance.choice(list(TO_MANY[collection].items()))
        level = {"_limit": chance.choice([1, 3, -1]), "_filter": _filter(chance, target, 2)}
        query |= {"deep": {name: level}, "fields": [f"{name}.*"]}
    if chance.random() < 0.3:
        query["meta"] = chance.choice(["*", "filter_count", "cursor"])
    if chance.random() < 0.2:
        query["search"] = chance.choice(["o", "1", "%"])
    if chance.random() < 0.2:
        columns = [name for name in COLUMNS[collection] if "(" not in name and name != "extra"]
        query |= {"aggregate": {"count": "*", "max": chance.choice(columns)}, "sort": []}
        if chance.random() < 0.5:
            query["groupBy"] = [chance.choice(columns)]
    return query


def _path(chance: random.Random, collection: str, depth: int, *, many: bool = True) -> str:
    steps: dict[str, str] = {**TO_ONE.get(collection, {}), **(TO_MANY.get(collection, {}) if many else {})}
    if depth == 0 or not steps or chance.random() < 0.4:
        return chance.choice(list(COLUMNS[collection]))
    name = chance.choice(list(steps))
    return f"{name}.{_path(chance, steps[name], depth - 1, many=many)}"


def _filter(chance: random.Random, collection: str, depth: int, *, quantified: bool = True) -> dict[str, Any]:
    if depth and chance.random() < 0.3:
        members = [_filter(chance, collection, depth - 1, quantified=quantified) for _ in range(2)]
        return {chance.choice(("_and", "_or")): members}
    steps = {**TO_ONE.get(collection, {}), **TO_MANY.get(collection, {})}
    if depth and steps and chance.random() < 0.5:
        name = chance.choice(list(steps))
        if quantified and name in TO_MANY.get(collection, {}) and chance.random() < 0.5:
            return {name: {chance.choice(("_some", "_none")): _filter(chance, steps[name], depth - 1)}}
        return {name: _filter(chance, steps[name], depth - 1, quantified=False)}
    name, kind = chance.choice(list(COLUMNS[collection].items()))
    return {name: chance.choice(FITTING[kind])}
