"""A small world with something hidden in every way, and the channels through which it could be read.

Hidden are: rows (a filter), a field (a field list), a field in some rows only (conditional), and values of
concealed and hashed fields. Every hidden text is one of `HIDDEN`, so that any answer can be looked through.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.support.files import Files
from tests.support.http import Answer, Client
from tests.support.people import Person, person

HIDDEN = {
    "row": "title-of-a-hidden-row",
    "field": "text-of-a-hidden-field",
    "conditional": "text-of-a-field-hidden-here",
    "concealed": "text-of-a-concealed-field",
    "hashed": "$argon2id$",
    "related": "text-of-a-hidden-note",
    "admin": "name-of-an-admins-thing",
}
Ask = Callable[[Mapping[str, Any]], Awaitable[Answer]]


def field(name: str, kind: str = "string", *special: str, **more: Any) -> dict[str, Any]:
    return {"field": name, "type": kind, "schema": {}, "meta": {"special": list(special) or None}, **more}


def rule(collection: str, action: str, *fields: str, **permissions: Any) -> dict[str, Any]:
    return {"collection": collection, "action": action, "fields": [*fields], "permissions": permissions}


MINE = {"state": {"_eq": "mine"}}
RULES = (
    rule("docs", "read", "id", "title", "state", "code", "notes", "position", **MINE),
    rule("docs", "read", "id", "grade", "pay", grade={"_eq": "open"}),
    rule("docs", "update", "title", "notes", **MINE),
    rule("docs", "share", **MINE),
    rule("remarks", "read", "*", doc={"state": {"_eq": "mine"}}),
    rule("directus_versions", "create", "*"),
    rule("directus_versions", "read", "*"),
    rule("directus_shares", "create", "*"),
    rule("directus_comments", "create", "*"),
    rule("directus_files", "create", "*"),
    rule("directus_files", "read", "*", uploaded_by={"_eq": "$CURRENT_USER"}),
    rule("directus_files", "update", "title", title={"_eq": "shared"}),
)


async def build(api: Client) -> None:
    """Two documents with a note each: 1 may be read by the limited caller, 2 may not."""
    documents = [
        field("title"),
        field("state"),
        field("grade"),
        field("secret"),
        field("pay"),
        field("position", "integer"),
        field("code", "string", "conceal"),
        field("pin", "hash", "hash"),
        {"field": "notes", "type": "alias", "schema": None, "meta": {"special": ["o2m"]}},
    ]
    key = {"field": "id", "type": "integer", "schema": {"is_primary_key": True, "has_auto_increment": True}}
    for name, fields, meta in (
        ("docs", documents, {"versioning": True, "sort_field": "position"}),
        ("remarks", [field("text"), field("doc", "integer", "m2o")], {}),
    ):
        made = {"collection": name, "schema": {}, "meta": meta, "fields": [key, *fields]}
        assert (await api.post("/collections", made)).status == 200
    relation = {"collection": "remarks", "field": "doc", "related_collection": "docs"}
    assert (await api.post("/relations", {**relation, "meta": {"one_field": "notes"}})).status == 200
    secrets = {
        "secret": HIDDEN["field"],
        "pay": HIDDEN["conditional"],
        "code": HIDDEN["concealed"],
        "pin": "1234",
        "grade": "closed",
    }
    for title, state, text in (("seen", "mine", "a note"), (HIDDEN["row"], "theirs", HIDDEN["related"])):
        item = {**secrets, "title": title, "state": state, "notes": [{"text": text}]}
        assert (await api.post("/items/docs", item)).status == 200
    assert (await api.post("/folders", {"name": HIDDEN["admin"]})).status == 200


async def mallory(api: Client) -> Person:
    """The limited caller."""
    return await person(api, *RULES, app_access=False)


def prying(name: str, value: str) -> Iterator[dict[str, Any]]:
    """Queries of ``docs`` that tell something of a field: none may be answered to who can't read it."""
    yield {"fields": name}
    yield {"fields": "x", "alias": {"x": name}}
    yield {"fields": "id", "filter": {name: {"_eq": value}}}
    yield {"fields": "id", "filter": {"_or": [{"id": {"_eq": 0}}, {name: {"_nnull": True}}]}}
    yield {"fields": "id", "filter": {"notes": {"doc": {name: {"_starts_with": value[:4]}}}}}
    yield {"fields": "id", "sort": name}
    yield {"fields": "id", "sort": f"-{name},id"}
    yield {"aggregate": {"max": name}}
    yield {"aggregate": {"countDistinct": name}}
    yield {"groupBy": name, "aggregate": {"count": "*"}}
    yield {"fields": f"notes.doc.{name}"}
    yield {"fields": "id,notes.id", "deep": {"notes": {"_filter": {"doc": {name: {"_nnull": True}}}}}}
    yield {"fields": "id,notes.id", "deep": {"notes": {"_sort": [f"doc.{name}"]}}}


def looking() -> Iterator[dict[str, Any]]:
    """Queries of ``docs`` that are answered, and in whose answers nothing hidden may stand."""
    yield {}
    yield {"fields": "*,notes.*"}
    yield {"fields": "*.*.*", "limit": -1, "deep": {"notes": {"_limit": -1}}}
    yield {"fields": "id", "filter": {"id": {"_eq": 2}}}
    yield {"fields": "id", "search": HIDDEN["row"]}
    yield {"fields": "id,pay", "filter": {"pay": {"_eq": HIDDEN["conditional"]}}}
    yield {"aggregate": {"count": "*", "max": "title"}}
    yield {"groupBy": "state", "aggregate": {"count": "*"}}
    yield {"aggregate": {"max": "pay"}}


def found(answer: Answer) -> list[str]:
    """What of the hidden stands in an answer, headers included."""
    text = f"{answer.body} {answer.headers}"
    return [name for name, value in HIDDEN.items() if value in text]


def channels(caller: Client, position: int) -> dict[str, Ask]:
    """Ways over HTTP to ask a query of ``docs``."""

    async def listed(query: Mapping[str, Any]) -> Answer:
        return await caller.get("/items/docs", **query)

    async def past(query: Mapping[str, Any]) -> Answer:
        return await caller.get("/items/docs", **query, as_of=str(position))

    async def searched(query: Mapping[str, Any]) -> Answer:
        return await caller.request("SEARCH", "/items/docs", {"query": query})

    async def changed(query: Mapping[str, Any]) -> Answer:
        return await caller.patch("/items/docs", {"query": query, "data": {"title": "seen"}})

    def exported(form: str) -> Ask:
        async def ask(query: Mapping[str, Any]) -> Answer:
            return await caller.get("/items/docs", **query, export=form)

        return ask

    return {
        "list": listed,
        "as of": past,
        "SEARCH": searched,
        "PATCH by query": changed,
        **{f"export {form}": exported(form) for form in ("csv", "json", "xml", "yaml")},
    }


@dataclass
class Socket:
    """A WebSocket as one more channel."""

    opened: aiohttp.ClientWebSocketResponse

    async def hear(self) -> Answer:
        """The next frame."""
        body = await self.opened.receive_json(timeout=20)
        return Answer(400 if body.get("status") == "error" else 200, {}, body)

    async def ask(self, **message: Any) -> Answer:
        """The frame that answers a message."""
        await self.opened.send_json(message)
        return await self.hear()


@asynccontextmanager
async def socket(files: Files, token: str) -> AsyncIterator[Socket]:
    """A socket that is signed in."""
    async with files.session.ws_connect(files.url + "/websocket") as opened:
        made = Socket(opened)
        signed = await made.ask(type="auth", access_token=token)
        assert signed.status == 200, signed.body
        yield made
