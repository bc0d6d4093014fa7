"""A small library, the world most tests of reading live in."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.support.http import Client
from tests.support.worlds import World


def library() -> World:
    """Authors of countries, books with reviews, tags (m2m) and sections (m2a), one shop (singleton)."""
    world = World()
    world.collection("countries", {"id": "integer", "name": "string"})
    world.collection(
        "authors",
        {
            "id": "integer",
            "name": "string",
            "age": "integer",
            "country": "integer",
            "secret": ("string", "conceal"),
        },
    )
    world.collection(
        "books",
        {
            "id": "integer",
            "title": "string",
            "pages": "integer",
            "price": "decimal",
            "published": "date",
            "added": "timestamp",
            "extra": "json",
            "labels": ("csv", "cast-csv"),
            "author": "integer",
            "sort": "integer",
            "note": ("string", "no-data", "alias"),
        },
    )
    world.collection("reviews", {"id": "integer", "text": "string", "stars": "integer", "book": "integer"})
    world.collection("tags", {"id": "integer", "label": "string"})
    world.collection("books_tags", {"id": "integer", "book": "integer", "tag": "integer"})
    world.collection("headings", {"id": "integer", "text": "string"})
    world.collection("pictures", {"id": "uuid", "url": "string"})
    world.collection(
        "sections",
        {"id": "integer", "book": "integer", "collection": "string", "item": "string", "sort": "integer"},
    )
    world.collection("shop", {"id": "integer", "name": "string"}, singleton=True)
    world.collection(
        "prices", {"book": "integer", "currency": "string", "amount": "integer"}, key=("book", "currency")
    )
    world.collection("directus_users", {"id": "uuid", "email": "string", "country": "integer"})
    world.collection("directus_roles", {"id": "uuid", "name": "string"})
    _relate(world)
    return world


def _relate(world: World) -> None:
    world.m2o("directus_users", "country", "countries")
    world.m2o("authors", "country", "countries", "authors")
    world.m2o("books", "author", "authors", "books", sort_field="sort")
    world.m2o("reviews", "book", "books", "reviews")
    world.m2o("books_tags", "book", "books", "tags", junction_field="tag")
    world.m2o("books_tags", "tag", "tags", "books", junction_field="book")
    world.m2o("sections", "book", "books", "sections", sort_field="sort", junction_field="item")
    world.m2a("sections", "item", "collection", ["headings", "pictures"])


PICTURE = "aaaaaaaa-0000-4000-8000-000000000001"

ROWS: dict[str, list[dict[str, Any]]] = {
    "countries": [{"id": 1, "name": "Austria"}, {"id": 2, "name": "Belgium"}],
    "authors": [
        {"id": 1, "name": "Ann", "age": 30, "country": 1, "secret": "x"},
        {"id": 2, "name": "Bob", "age": 40, "country": 2, "secret": ""},
        {"id": 3, "name": "Cid", "age": None, "country": None},
    ],
    "books": [
        {
            "id": 1,
            "title": "One",
            "pages": 100,
            "price": "9.90",
            "published": "2024-01-05",
            "added": "2024-01-05T10:20:30.123456Z",
            "extra": {"color": "red", "size": {"w": 3}, "list": [1, 2]},
            "labels": ["x", "y"],
            "author": 1,
            "sort": 3,
        },
        {
            "id": 2,
            "title": "Two",
            "pages": 200,
            "author": 1,
            "sort": 1,
            "extra": {"color": "blue", "size": {"w": 20}},
        },
        {
            "id": 3,
            "title": "Three",
            "pages": 300,
            "author": 1,
            "sort": 2,
            "published": "2022-03-05",
            "extra": [1],
        },
        {"id": 4, "title": "Four", "pages": None, "author": 2, "sort": 1},
        {"id": 5, "title": "Orphan", "pages": 1},
    ],
    "reviews": [
        {"id": 1, "text": "good", "stars": 4, "book": 1},
        {"id": 2, "text": "bad", "stars": 1, "book": 1},
        {"id": 3, "text": "great", "stars": 5, "book": 2},
        {"id": 4, "text": "fine", "stars": 3, "book": 4},
        {"id": 5, "text": "loose", "stars": None},
    ],
    "tags": [{"id": 1, "label": "new"}, {"id": 2, "label": "old"}],
    "books_tags": [
        {"id": 1, "book": 1, "tag": 1},
        {"id": 2, "book": 1, "tag": 2},
        {"id": 3, "book": 2, "tag": 2},
    ],
    "headings": [{"id": 7, "text": "Big"}],
    "pictures": [{"id": PICTURE, "url": "a.png"}],
    "sections": [
        {"id": 1, "book": 1, "collection": "headings", "item": "7", "sort": 2},
        {"id": 2, "book": 1, "collection": "pictures", "item": PICTURE, "sort": 1},
        {"id": 3, "book": 2, "collection": "headings", "item": "no key", "sort": 1},
    ],
    "directus_users": [{"id": PICTURE, "email": "Ann", "country": 1}],
    "directus_roles": [{"id": PICTURE, "name": "Bob"}, {"id": PICTURE.replace("1", "2"), "name": "Cid"}],
    "prices": [{"book": 1, "currency": "a,b", "amount": 5}, {"book": 1, "currency": "EUR", "amount": 6}],
}


async def fill(url: str) -> None:
    """Put the library's own tables with their rows into an empty database."""
    world = library()
    names = [name for name in world.collections if not name.startswith("directus_")]
    world.collections = {name: world.collections[name] for name in names}
    async with await psycopg.AsyncConnection.connect(url, options="-c TimeZone=UTC") as connection:
        await world.create(connection)
        for name in names:
            await world.insert(connection, name, ROWS.get(name, []))


async def publish(api: Client) -> None:
    """Tell a server that found the library's tables what it can't see in them: specials and relations."""
    world = library()
    for collection in world.collections.values():
        if collection.name.startswith("directus_"):
            continue
        if collection.singleton:
            await _send(api, "PATCH", f"/collections/{collection.name}", {"meta": {"singleton": True}})
        for name, found in collection.fields.items():
            meta: dict[str, Any] = {"special": list(found.special)}
            if found.column is None:
                body: dict[str, Any] = {"field": name, "type": "alias", "meta": meta}
                await _send(api, "POST", f"/fields/{collection.name}", body)
            elif found.special:
                await _send(api, "PATCH", f"/fields/{collection.name}/{name}", {"meta": meta})
    for relation in world.relations:
        assert relation.meta is not None
        names = (
            "one_field", "sort_field", "junction_field", "one_collection_field", "one_allowed_collections"
        )  # fmt: skip
        meta = {name: getattr(relation.meta, name) for name in names}
        body = {
            "collection": relation.collection,
            "field": relation.field,
            "related_collection": relation.related,
            "meta": meta,
        }
        if not relation.collection.startswith("directus_"):
            await _send(api, "POST", "/relations", body)


async def _send(api: Client, method: str, path: str, body: Any) -> None:
    answer = await api.request(method, path, body)
    assert answer.status < 300, (path, body, answer.body)
