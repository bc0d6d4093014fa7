"""The content of `acta serve --demo`: two collections with a relation and a few items, made through the API.

It goes the way of any client, so that what a visitor sees is what they would have made themselves.
"""

from typing import Any

from aiohttp import ClientSession

COLLECTIONS: tuple[dict[str, Any], ...] = (
    {
        "collection": "authors",
        "schema": {},
        "meta": {"icon": "person"},
        "fields": [{"field": "name", "type": "string", "meta": {"required": True}, "schema": {}}],
    },
    {
        "collection": "articles",
        "schema": {},
        "meta": {"icon": "article"},
        "fields": [
            {"field": "title", "type": "string", "meta": {"required": True}, "schema": {}},
            {"field": "body", "type": "text", "meta": {}, "schema": {}},
            {"field": "published", "type": "date", "meta": {}, "schema": {}},
            {"field": "author", "type": "integer", "meta": {"special": ["m2o"]}, "schema": {}},
        ],
    },
)
ARTICLES_OF_AUTHORS = {"field": "articles", "type": "alias", "meta": {"special": ["o2m"]}}
RELATION = {
    "collection": "articles",
    "field": "author",
    "related_collection": "authors",
    "schema": {"on_delete": "SET NULL"},
    "meta": {"one_field": "articles"},
}
CONTENT = {
    "Ada Lovelace": [
        {"title": "Notes on the Analytical Engine", "body": "It weaves patterns.", "published": "1843-09-01"},
        {"title": "A letter on flying", "body": "On wings, and steam.", "published": "1828-04-07"},
    ],
    "Emmy Noether": [
        {"title": "Invariant variation problems", "body": "Symmetries conserve.", "published": "1918-07-26"}
    ],
}


class DemoError(Exception):
    """The API refused a part of the demo content."""


async def make_demo(url: str, token: str) -> None:
    """Create the demo content unless its collections exist. Raises DemoError."""
    async with ClientSession(url, headers={"Authorization": f"Bearer {token}"}) as client:
        async with client.get("/collections/articles") as answer:
            if answer.status == 200:
                return
            if answer.status == 401:
                raise DemoError("the administrator's token is another one: set ADMIN_TOKEN")
        for collection in COLLECTIONS:
            await _post(client, "/collections", collection)
        await _post(client, "/fields/authors", ARTICLES_OF_AUTHORS)
        await _post(client, "/relations", RELATION)
        for name, articles in CONTENT.items():
            author = await _post(client, "/items/authors", {"name": name})
            await _post(
                client, "/items/articles", [{**article, "author": author["id"]} for article in articles]
            )


async def _post(client: ClientSession, path: str, body: object) -> Any:
    async with client.post(path, json=body) as answer:
        if answer.status >= 300:
            raise DemoError(f"POST {path} answered {answer.status}: {await answer.text()}")
        return (await answer.json()).get("data")
