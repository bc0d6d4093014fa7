"""What is done to the reference before its database is taken over: something of everything it can store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Request = tuple[str, str, Any]

EDITOR, EDITOR_ROLE, EDITOR_POLICY = (f"00000000-0000-4000-8000-0000000000{n:02d}" for n in (1, 2, 3))
FOLDER, TAG, DASHBOARD, FLOW, OPERATION = (
    f"00000000-0000-4000-8000-0000000000{n}" for n in (11, 12, 13, 14, 15)
)
EDITOR_EMAIL, EDITOR_PASSWORD, EDITOR_TOKEN = "editor@example.com", "editor's secret", "editor-static-token"


def requests() -> Iterator[Request]:
    """The requests in order, as the administrator; each has to succeed."""
    yield from _people()
    yield from _collections()
    yield from _relations()
    yield from _items()
    yield from _rows()


def _people() -> Iterator[Request]:
    yield "POST", "/policies", {"id": EDITOR_POLICY, "name": "Editing", "app_access": True}
    yield "POST", "/roles", {"id": EDITOR_ROLE, "name": "Editors", "policies": [{"policy": EDITOR_POLICY}]}
    yield "POST", "/fields/directus_users", _column("badge", "string", max_length=20, is_unique=True)
    yield (
        "POST",
        "/users",
        {
            "id": EDITOR,
            "email": EDITOR_EMAIL,
            "password": EDITOR_PASSWORD,
            "token": EDITOR_TOKEN,
            "first_name": "Edith",
            "role": EDITOR_ROLE,
            "badge": "E-1",
        },
    )


def _column(name: str, kind: str, special: list[str] | None = None, **schema: Any) -> dict[str, Any]:
    return {"field": name, "type": kind, "schema": schema, "meta": {"special": special}}


def _alias(name: str, special: str) -> dict[str, Any]:
    return {"field": name, "type": "alias", "schema": None, "meta": {"special": [special]}}


def _collections() -> Iterator[Request]:
    yield "POST", "/collections", {"collection": "press", "schema": None, "meta": {"icon": "newspaper"}}
    number = _column("id", "integer", is_primary_key=True, has_auto_increment=True)
    made = {"accountability": "all", "versioning": True, "group": "press", "archive_field": "status"}
    yield (
        "POST",
        "/collections",
        {
            "collection": "stories",
            "schema": {},
            "meta": {**made, "archive_value": "archived", "unarchive_value": "draft", "sort_field": "rank"},
            "fields": [
                number,
                _column("title", "string", max_length=100, is_nullable=False),
                _column("status", "string", default_value="draft"),
                _column("rank", "integer", is_indexed=True),
                _column("body", "text"),
                _column("price", "decimal", numeric_precision=8, numeric_scale=2, default_value=1.5),
                _column("reads", "bigInteger"),
                _column("score", "float"),
                _column("shown", "boolean", ["cast-boolean"], default_value=False),
                _column("extra", "json", ["cast-json"]),
                _column("labels", "csv", ["cast-csv"]),
                _column("secret", "hash", ["hash", "conceal"]),
                _column("day", "date"),
                _column("at", "time"),
                _column("starts", "dateTime"),
                _column("ends", "timestamp"),
                _column("code", "uuid", is_unique=True),
                _column("author", "uuid", ["user-created"]),
                _column("made", "timestamp", ["date-created"]),
                _column("cover", "uuid", ["file"]),
                _column("topic", "string", ["m2o"], max_length=30),
                _alias("tags", "m2m"),
                _alias("blocks", "m2a"),
                _alias("translations", "translations"),
            ],
        },
    )
    yield from _parts(number)


def _parts(number: dict[str, Any]) -> Iterator[Request]:
    def collection(name: str, *fields: dict[str, Any], **meta: Any) -> Request:
        return "POST", "/collections", {"collection": name, "schema": {}, "meta": meta, "fields": fields}

    code = _column("code", "string", is_primary_key=True, max_length=30)
    key = _column("id", "uuid", ["uuid"], is_primary_key=True)
    yield collection(
        "topics", code, _column("parent", "string", ["m2o"], max_length=30), _alias("stories", "o2m")
    )
    yield collection("tags", key, _column("name", "string", is_unique=True))
    yield collection("stories_tags", number, _column("story", "integer"), _column("tag", "uuid"), hidden=True)
    item = (_column("item", "string"), _column("collection", "string"), _column("sort", "integer"))
    yield collection("stories_blocks", number, _column("story", "integer"), *item, hidden=True)
    yield collection("quotes", number, _column("text", "text"))
    yield collection("languages", code, _column("name", "string"))
    words = (
        _column("story", "integer"),
        _column("language", "string", max_length=30),
        _column("title", "string"),
    )
    yield collection("stories_translations", number, *words)
    yield collection("site", number, _column("name", "string"), singleton=True, accountability=None)


def _relations() -> Iterator[Request]:
    def relation(collection: str, field: str, related: str | None, **rest: Any) -> Request:
        schema = {"on_delete": rest.pop("on_delete", "SET NULL")} if related else None
        meta = {"one_field": None, **rest}
        body = {"collection": collection, "field": field, "related_collection": related}
        return "POST", "/relations", {**body, "schema": schema, "meta": meta}

    yield relation("stories", "author", "directus_users")
    yield relation("stories", "cover", "directus_files")
    yield relation("stories", "topic", "topics", one_field="stories")
    yield relation("topics", "parent", "topics")
    yield relation(
        "stories_tags", "story", "stories", one_field="tags", junction_field="tag", on_delete="CASCADE"
    )
    yield relation("stories_tags", "tag", "tags", junction_field="story", on_delete="CASCADE")
    yield relation(
        "stories_blocks", "story", "stories", one_field="blocks", junction_field="item", sort_field="sort"
    )
    any_kind = {"one_collection_field": "collection", "one_allowed_collections": ["quotes", "tags"]}
    yield relation("stories_blocks", "item", None, junction_field="story", **any_kind)
    of_story = {"one_field": "translations", "junction_field": "language", "one_deselect_action": "delete"}
    yield relation("stories_translations", "story", "stories", on_delete="CASCADE", **of_story)
    yield relation("stories_translations", "language", "languages", junction_field="story")


def _items() -> Iterator[Request]:
    yield "POST", "/items/languages", [{"code": "en", "name": "English"}, {"code": "de", "name": "Deutsch"}]
    yield "POST", "/items/topics", [{"code": "world"}, {"code": "africa", "parent": "world"}]
    yield "POST", "/items/tags", {"id": TAG, "name": "new"}
    yield "PATCH", "/items/site", {"name": "The Press"}
    for number in range(1, 13):
        yield "POST", "/items/stories", {**_story(number), "topic": "africa" if number % 2 else "world"}
    yield "PATCH", "/items/stories/1", {"title": "Story 1, corrected", "shown": True, "secret": "hidden"}
    yield "PATCH", "/items/stories", {"keys": [2, 3], "data": {"status": "archived"}}
    yield "DELETE", "/items/stories/12", None


def _story(number: int) -> dict[str, Any]:
    return {
        "title": f"Story {number}",
        "rank": 100 - number,
        "body": "text\n" * number,
        "price": number * 1.25,
        "reads": str(9007199254740993 + number),
        "score": number / 4,
        "extra": {"n": number, "list": [1, "two", None]},
        "labels": ["a", "b"],
        "day": "2024-02-29",
        "at": "12:30:00",
        "starts": "2024-02-29T12:30:00",
        "ends": "2024-02-29T12:30:00Z",
        "tags": [{"tag": TAG}],
        "blocks": [{"collection": "quotes", "item": {"text": f"quote {number}"}, "sort": 1}],
        "translations": [{"language": "de", "title": f"Geschichte {number}"}],
    }


def _rows() -> Iterator[Request]:
    def permission(collection: str, action: str, fields: list[str], **rules: Any) -> Request:
        body = {"policy": EDITOR_POLICY, "collection": collection, "action": action, "fields": fields}
        return "POST", "/permissions", body | rules

    yield permission("stories", "read", ["*"], permissions={"status": {"_neq": "archived"}})
    yield permission("stories", "update", ["title", "body"], validation={"title": {"_nnull": True}})
    yield permission("topics", "read", ["code", "parent"])
    yield "POST", "/folders", {"id": FOLDER, "name": "Pictures"}
    yield "POST", "/presets", {"collection": "stories", "user": EDITOR, "layout": "cards", "bookmark": "Mine"}
    yield "POST", "/translations", {"key": "greeting", "language": "en-US", "value": "Hello"}
    yield "POST", "/comments", {"collection": "stories", "item": "1", "comment": "Well done"}
    yield "POST", "/notifications", {"recipient": EDITOR, "subject": "Welcome", "message": "Hello"}
    panel = {"type": "label", "position_x": 1, "position_y": 1, "width": 8, "height": 4}
    yield "POST", "/dashboards", {"id": DASHBOARD, "name": "Numbers", "panels": [panel]}
    step = {"id": OPERATION, "key": "log", "type": "log", "position_x": 1, "position_y": 1}
    flow = {"id": FLOW, "name": "Notes", "trigger": "webhook", "options": {"method": "GET"}}
    yield "POST", "/flows", {**flow, "operations": [{**step, "options": {"message": "hi"}}]}
    yield "PATCH", f"/flows/{FLOW}", {"operation": OPERATION}
    yield (
        "POST",
        "/shares",
        {"collection": "stories", "item": "1", "name": "Look", "password": "share secret"},
    )
    yield "POST", "/versions", {"collection": "stories", "item": "1", "key": "draft", "name": "Draft"}
    theme = {"project_name": "The Press", "module_bar": [{"type": "module", "id": "users", "enabled": True}]}
    yield "PATCH", "/settings", theme
    yield "PATCH", f"/users/{EDITOR}", {"title": "Editor in chief"}
