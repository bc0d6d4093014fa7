"""Attempts to gain rights: by the own user, role and policies, by relations, by nested writes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.http import Client, client
from tests.support.server import Server, running_server

PUBLIC = "abf8a154-5b1c-4a46-ac9c-7300570f4f17"
TOKEN = "token-of-mallory"
SCHEMA = """
create table teams (id serial primary key, name text);
create table docs (id serial primary key, title text, secret text, team int references teams, owner uuid);
create table notes (id serial primary key, text text, doc int references docs);
insert into teams (name) values ('mine'), ('theirs');
insert into docs (title, secret, team) values ('my doc', 's1', 1), ('their doc', 's2', 2);
insert into notes (text, doc) values ('my note', 1), ('their note', 2);
"""


@pytest.fixture(scope="module")
def served_url(postgres_url: str) -> Iterator[str]:
    name = f"acta_escalation_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        url = make_conninfo(postgres_url, dbname=name)
        with psycopg.connect(url) as own:
            own.execute(SCHEMA)
        try:
            yield url
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def server(served_url: str) -> Iterator[Server]:
    with running_server(served_url, "--no-followers") as running:
        yield running


def rule(collection: str, action: str, *fields: str, **permissions: Any) -> dict[str, Any]:
    return {"collection": collection, "action": action, "fields": [*fields], "permissions": permissions}


MINE = {"id": {"_eq": 1}}
SELF = {"id": {"_eq": "$CURRENT_USER"}}
RULES = (
    rule("docs", "read", "id", "title", "team", "notes", **MINE),
    rule("docs", "update", "title", "notes", "team", **MINE),
    rule("docs", "create", "title", "notes", "team"),
    rule("notes", "read", "*", doc={"_eq": 1}),
    rule("notes", "create", "text", "doc"),
    rule("teams", "read", "*", **MINE),
    rule("directus_users", "read", "id", "first_name", "role", "policies", **SELF),
    rule("directus_users", "update", "first_name", "password", "email", **SELF),
    rule("directus_roles", "read", "*"),
    rule("directus_policies", "read", "id", "name"),
    rule("directus_comments", "create", "*"),
)


async def prepared(server: Server) -> str:
    async with client(server) as admin:
        alias = {"field": "notes", "type": "alias", "schema": None, "meta": {"special": ["o2m"]}}
        assert (await admin.post("/fields/docs", alias)).status == 200
        related = {"collection": "notes", "field": "doc", "related_collection": "docs"}
        answer = await admin.patch("/relations/notes/doc", {**related, "meta": {"one_field": "notes"}})
        assert answer.status == 200, answer.body
        policy = {"name": "mallory", "permissions": {"create": [*RULES], "update": [], "delete": []}}
        made = await admin.post("/policies", policy)
        role = await admin.post("/roles", {"name": "people", "policies": [{"policy": made.data["id"]}]})
        person = {"email": "mallory@example.com", "token": TOKEN, "role": role.data["id"]}
        return str((await admin.post("/users", person)).data["id"])


@pytest.fixture(scope="module")
def mallory_id(server: Server) -> str:
    return asyncio.run(prepared(server))


@pytest.fixture
async def mallory(server: Server, mallory_id: str) -> AsyncIterator[Client]:
    async with client(server, TOKEN) as found:
        yield found


@pytest.fixture
async def admin(server: Server) -> AsyncIterator[Client]:
    async with client(server) as found:
        yield found


async def powers(server: Server) -> Any:
    """What the attacker may do by now, and what the world looks like to the administrator."""
    async with client(server, TOKEN) as own, client(server) as admin:
        return [
            (await own.get("/permissions/me")).data,
            (await own.get("/policies/me/globals")).data,
            (await admin.get("/users", fields="*,policies.*", sort="id")).data,
            (await admin.get("/access", sort="id")).data,
            (await admin.get("/roles", sort="id")).data,
            (await admin.get("/policies", sort="id")).data,
            (await admin.get("/items/docs", fields="*,notes.*", sort="id")).data,
            (await admin.get("/items/notes", sort="id")).data,
            (await admin.get("/items/teams", sort="id")).data,
        ]


def without_clock(state: Any) -> Any:
    for user in state[2]:
        user.pop("last_access", None)
    return state


async def test_the_own_user_is_no_way_up(
    mallory: Client, admin: Client, server: Server, mallory_id: str
) -> None:
    chief = (await admin.get("/users/me", fields="id,role,policies.policy")).data
    power = chief["policies"][0]["policy"] if chief["policies"] else PUBLIC
    before = without_clock(await powers(server))
    attempts: list[dict[str, Any]] = [
        {"role": chief["role"] or PUBLIC},
        {"role": {"name": "mine", "policies": [{"policy": {"name": "p", "admin_access": True}}]}},
        {"role": {"id": before[4][0]["id"], "policies": {"create": [{"policy": power}]}}},
        {"policies": [{"policy": power}]},
        {"policies": {"create": [{"policy": {"name": "p", "admin_access": True}}]}},
        {"id": chief["id"]},
        {"status": "active", "provider": "other"},
        {"token": "another"},
        {"external_identifier": "x"},
        {"auth_data": {}},
        {"tfa_secret": "JBSWY3DPEHPK3PXP"},
        {"admin_access": True},
        {"first_name": "x", "role": None},
    ]
    for attempt in attempts:
        for path in (f"/users/{mallory_id}", "/users/me"):
            assert (await mallory.patch(path, attempt)).status in (400, 403), attempt
        assert (await mallory.patch("/users", {"keys": [mallory_id], "data": attempt})).status in (400, 403)
        assert (await mallory.patch("/users", [{"id": mallory_id, **attempt}])).status in (400, 403)
    assert (await mallory.patch(f"/users/{chief['id']}", {"password": "taken over"})).status == 403
    everybody = {"query": {"filter": {"id": {"_neq": mallory_id}}}, "data": {"password": "taken over"}}
    assert (await mallory.patch("/users", everybody)).data == []
    assert without_clock(await powers(server)) == before


async def test_no_collection_about_rights_can_be_written(
    mallory: Client, server: Server, mallory_id: str
) -> None:
    before = without_clock(await powers(server))
    policy, role = before[5][0]["id"], before[4][0]["id"]
    attempts: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/policies", {"name": "mine", "admin_access": True}),
        ("PATCH", f"/policies/{policy}", {"admin_access": True}),
        ("PATCH", f"/policies/{policy}", {"users": {"create": [{"user": mallory_id}]}}),
        ("POST", "/access", {"user": mallory_id, "policy": policy}),
        ("POST", "/permissions", {"policy": policy, "collection": "docs", "action": "read", "fields": ["*"]}),
        ("POST", "/permissions", {"policy": PUBLIC, "collection": "docs", "action": "read", "fields": ["*"]}),
        ("PATCH", f"/roles/{role}", {"parent": None, "users": [mallory_id]}),
        ("POST", "/roles", {"name": "mine", "users": [{"id": mallory_id}]}),
        ("DELETE", f"/roles/{role}", {}),
        ("POST", "/users", {"email": "new@example.com", "role": role}),
        ("PATCH", "/settings", {"public_registration": True, "public_registration_role": role}),
        ("POST", "/collections", {"collection": "mine", "schema": {}}),
        ("POST", "/fields/docs", {"field": "more", "type": "string"}),
        ("PATCH", "/fields/docs/secret", {"meta": {"special": None}}),
        ("POST", "/utils/cache/clear", {}),
        ("POST", "/items/directus_users", {"email": "new@example.com"}),
        ("GET", "/items/directus_users", {}),
    ]
    for method, path, body in attempts:
        answer = await mallory.request(method, path, body if method != "GET" else None)
        assert answer.status == 403, (method, path, answer.body)
    assert without_clock(await powers(server)) == before


async def test_relations_to_the_system_are_no_door(mallory: Client, server: Server, mallory_id: str) -> None:
    before = without_clock(await powers(server))
    comment = {"comment": "x", "collection": "docs", "item": "1"}
    attempts: list[dict[str, Any]] = [
        {**comment, "user_created": {"id": mallory_id, "role": None, "first_name": "x"}},
        {**comment, "user_created": {"email": "new@example.com"}},
        {**comment, "user_updated": {"id": mallory_id, "policies": [{"policy": before[5][0]["id"]}]}},
    ]
    for attempt in attempts:
        assert (await mallory.post("/comments", attempt)).status in (400, 403), attempt
    assert without_clock(await powers(server)) == before


async def test_nested_writes_reach_no_items_of_others(mallory: Client, server: Server) -> None:
    before = without_clock(await powers(server))
    attempts: list[dict[str, Any]] = [
        {"notes": [2]},
        {"notes": [{"id": 2}]},
        {"notes": [{"id": 2, "text": "mine now"}]},
        {"notes": {"create": [], "update": [{"id": 2, "text": "mine now"}], "delete": []}},
        {"notes": {"create": [], "update": [], "delete": [1]}},
        {"notes": []},
        {"notes": [{"id": 1, "text": "changed"}]},
        {"team": {"id": 2, "name": "mine now"}},
        {"team": {"id": 1, "name": "changed"}},
        {"team": {"name": "new"}},
        {"secret": "x"},
        {"notes": [{"text": "x", "doc": {"id": 2, "title": "mine now"}}]},
    ]
    for attempt in attempts:
        assert (await mallory.patch("/items/docs/1", attempt)).status in (400, 403), attempt
    # Notes that do not belong to the item are not its to delete.
    foreign = {"notes": {"create": [], "update": [], "delete": [2]}}
    assert (await mallory.patch("/items/docs/1", foreign)).data["notes"] == [1]
    for attempt in attempts[:4] + attempts[6:-1]:
        assert (await mallory.post("/items/docs", {"title": "t", **attempt})).status in (400, 403), attempt
    for path, body in (
        ("/items/docs/2", {"title": "x"}),
        ("/items/docs", {"keys": [1, 2], "data": {"title": "x"}}),
        ("/items/docs", [{"id": 1, "title": "x"}, {"id": 2, "title": "x"}]),
        ("/items/notes/1", {"text": "x"}),
    ):
        assert (await mallory.patch(path, body)).status == 403, (path, body)
    assert (await mallory.delete("/items/docs/1")).status == 403
    assert without_clock(await powers(server)) == before
    # The parent of a nested note is the item that it is nested in, whatever the note says.
    deep = {"notes": {"create": [{"text": "x", "doc": {"id": 2, "secret": "s"}}], "update": [], "delete": []}}
    assert (await mallory.patch("/items/docs/1", deep)).data["notes"] == [1, 3]
    assert (await powers(server))[6][1] == before[6][1]


async def test_what_can_not_be_read_can_not_be_asked_for(mallory: Client) -> None:
    """Neither filters nor sorts, aggregates, searches, aliases or deep parameters tell what is hidden."""
    forbidden: list[dict[str, Any]] = [
        {"fields": "secret"},
        {"fields": "x", "alias": {"x": "secret"}},
        {"filter": {"secret": {"_starts_with": "s"}}},
        {"filter": {"_or": [{"id": {"_eq": 1}}, {"secret": {"_nnull": True}}]}},
        {"sort": "secret"},
        {"aggregate": {"countDistinct": "secret"}},
        {"groupBy": "secret"},
        {"fields": "notes.doc.secret"},
        {"filter": {"notes": {"doc": {"secret": {"_nnull": True}}}}},
        {"filter": {"notes": {"_some": {"doc": {"secret": {"_nnull": True}}}}}},
        {"fields": "id,notes.id", "deep": {"notes": {"_filter": {"doc": {"secret": {"_nnull": True}}}}}},
        {"fields": "id,notes.id", "deep": {"notes": {"_sort": ["doc.secret"]}}},
        {"export": "csv", "fields": "secret"},
    ]
    hidden = [{"id": {"_eq": 1}, "secret": {"_starts_with": text}} for text in ("s", "x")]
    for query in forbidden:
        assert (await mallory.get("/items/docs", **query)).status == 403, query
        body = {"query": query}
        assert (await mallory.request("SEARCH", "/items/docs", body)).status == 403, query
    assert (await mallory.get("/items/docs", fields="id", search="s2")).data == []
    assert (await mallory.get("/items/docs", fields="id", filter={"id": 2})).data == []
    assert (await mallory.get("/items/docs", aggregate={"count": "*"})).data == [{"count": "1"}]
    filtered = await mallory.get("/users", fields="id", filter={"policies": {"_nnull": True}})
    assert filtered.status == 403
    # Nor does it show in what a change of the items that a query finds comes to.
    for condition in hidden:
        body = {"query": {"filter": condition}, "data": {"title": "my doc"}}
        assert (await mallory.patch("/items/docs", body)).status == 403
    others = {"query": {"filter": {"id": {"_eq": 2}}}, "data": {"title": "x"}}
    answer = await mallory.patch("/items/docs", others)
    assert (answer.status, answer.data) == (200, [])
