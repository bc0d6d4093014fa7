"""Diff and blame, and the HTTP side of undo."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest

from projections.time.diff import blame, diff_counts, diff_items
from projections.time.moments import cut_at
from tests.support.http import Client, client
from tests.support.project import Project
from tests.support.server import Server, acta, running_server
from tests.time.test_in_place import library


async def test_differences_between_two_moments(project: Project) -> None:
    await library(project)
    then = await project.now()
    await project.update("books", 1, {"title": "Changed"})
    await project.update("books", 2, {"title": "Changed"})
    await project.update("books", 2, {"title": "Book 1"})
    await project.delete("books", 3)
    await project.create("books", {"title": "New", "author": 1}, {"title": "Gone"})
    await project.delete("books", 11)
    await project.update("authors", 1, {"name": "X"})
    now = await project.now()
    async with project.database.connection() as connection:
        earlier, later = await cut_at(connection, then), await cut_at(connection, now)
    counts = await diff_counts(project.database, earlier, later)
    assert [(c.collection, c.added, c.changed, c.removed) for c in counts] == [
        ("authors", 0, 1, 0),
        ("books", 1, 1, 1),
    ]
    _, items = await diff_items(project.database, earlier, later, "books", limit=10)
    assert [(one.item, one.kind, one.fields) for one in items] == [
        ("1", "changed", {"title": {"from": "Book 0", "to": "Changed"}}),
        (
            "10",
            "added",
            {
                "id": {"from": None, "to": 10},
                "title": {"from": None, "to": "New"},
                "author": {"from": None, "to": 1},
            },
        ),
        (
            "3",
            "removed",
            {
                "id": {"from": 3, "to": None},
                "title": {"from": "Book 2", "to": None},
                "author": {"from": 3, "to": None},
            },
        ),
    ]
    printed = acta(project.url, "diff", str(then), str(now))
    assert printed.stdout == "authors: 0 added, 1 changed, 0 removed\nbooks: 1 added, 1 changed, 1 removed\n"
    assert len(acta(project.url, "diff", str(then), "--collection", "books").stdout.splitlines()) == 3


async def test_blame_names_the_event_of_the_present_value(project: Project) -> None:
    await library(project)
    await project.update("books", 1, {"title": "A"})
    await project.update("books", 1, {"title": "B", "author": 2})
    # Submitted, but what it was already.
    await project.update("books", 1, {"title": "B", "author": 3})
    events = await project.sql(
        "select seq from acta.events where collection = 'books' and item = '1' order by seq"
    )
    found = {one.field: one.seq for one in await blame(project.database, "books", "1")}
    created, _, second, third = [seq for (seq,) in events]
    assert found == {"id": created, "title": second, "author": third}


@pytest.fixture
def server(prepared_url: str) -> Iterator[Server]:
    with psycopg.connect(prepared_url) as connection:
        connection.execute("create table notes (id serial primary key, title text unique)")
    with running_server(prepared_url) as running:
        yield running


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Client]:
    async with client(server) as found:
        yield found


async def test_over_http(api: Client, server: Server) -> None:
    created = await api.post("/items/notes", {"title": "one"})
    changed = await api.patch("/items/notes/1", {"title": "two"})
    request = {name.lower(): value for name, value in changed.headers.items()}["x-request-id"]
    told = await api.request("POST", "/utils/undo", {"request": request}, query={"dry": "true"})
    assert told.data["undone"] == [
        {"collection": "notes", "item": "1", "action": "update", "fields": ["title"]}
    ]
    assert (await api.get("/items/notes/1")).data["title"] == "two"
    await api.patch("/items/notes/1", {"title": "three"})
    refused = await api.post("/utils/undo", {"request": request})
    assert (refused.status, refused.error["code"]) == (409, "UNDO_CONFLICT")
    assert refused.error["conflicts"] == [
        {"collection": "notes", "item": "1", "reason": "changed", "fields": ["title"]}
    ]
    activity = (await api.get("/activity", limit="1", sort="-id")).data[0]["id"]
    assert len((await api.post("/utils/undo", {"activity": activity})).data["undone"]) == 1
    assert (await api.get("/items/notes/1")).data["title"] == "two"
    blamed = (await api.get("/utils/blame/notes/1")).data
    assert [(one["field"], one["event"]) for one in blamed] == [
        ("id", "item.created"),
        ("title", "item.updated"),
    ]
    assert (await api.get("/utils/blame/notes/99")).status == 403
    found = await api.get("/utils/diff", **{"from": "1h", "collection": "notes"})
    assert found.status == 400, "the log is younger"
    found = await api.get("/utils/diff", **{"from": "1", "collection": "notes"})
    assert (found.data["added"], found.data["items"][0]["kind"]) == (1, "added")
    assert created.status == 200
    async with client(server, None) as anonymous:
        assert (await anonymous.post("/utils/undo", {"request": request})).status == 403
        assert (await anonymous.get("/utils/diff", **{"from": "1"})).status == 403
        assert (await anonymous.get("/utils/blame/notes/1")).status == 403


async def test_reads_as_of_a_moment(api: Client) -> None:
    made = await api.post("/items/notes", {"title": "one"})
    request = {name.lower(): value for name, value in made.headers.items()}["x-request-id"]
    await api.patch("/items/notes/1", {"title": "two"})
    await api.post("/items/notes", {"title": "three"})
    now = (await api.get("/items/notes", as_of="0s")).data
    assert now == [{"id": 1, "title": "two"}, {"id": 2, "title": "three"}]
    assert (await api.get("/items/notes", as_of=request)).data == [{"id": 1, "title": "one"}]
    assert (await api.get("/items/notes/1", as_of=request, fields="title")).data == {"title": "one"}
    assert (await api.get("/items/notes/2", as_of=request)).status == 403
    found = await api.request("SEARCH", "/items/notes", {"query": {"as_of": request}})
    assert found.data == [{"id": 1, "title": "one"}]
    export = await api.get("/items/notes", as_of=request, export="json", limit="-1")
    assert export.body == [{"id": 1, "title": "one"}]
    for query in ("{ notes { title } }", "{ a: notes { title } b: notes_by_id(id: 1) { title } }"):
        now = (await api.request("POST", "/graphql", {"query": query})).data
        past = await api.request("POST", "/graphql", {"query": query}, query={"as_of": request})
        assert next(iter(past.data.values())) == [{"title": "one"}]
        assert past.data.get("b", {"title": "one"}) == {"title": "one"}
        assert now != past.data
    for when in ("x", "2999-01-01", "0"):
        assert (await api.get("/items/notes", as_of=when)).status == 400
        bad = await api.request("POST", "/graphql", {"query": "{ notes { title } }"}, query={"as_of": when})
        assert bad.status == 400, bad.body


async def test_root_fields_of_graphql_as_of_moments(api: Client) -> None:
    made = await api.post("/items/notes", {"title": "one"})
    request = {name.lower(): value for name, value in made.headers.items()}["x-request-id"]
    await api.patch("/items/notes/1", {"title": "two"})
    await api.post("/items/notes", {"title": "three"})

    async def ask(query: str, **variables: object) -> Any:
        body = {"query": query, "variables": variables}
        return (await api.request("POST", "/graphql", body)).body

    query = """query ($when: String) {
        then: notes(asOf: $when, sort: ["-title"]) { title }
        one: notes_by_id(id: 1, asOf: $when) { title }
        number: notes_aggregated(asOf: $when) { countAll }
        now: notes(sort: ["id"]) { title }
    }"""
    now = [{"title": "two"}, {"title": "three"}]
    for _ in range(2):
        assert await ask(query, when=request) == {
            "data": {
                "then": [{"title": "one"}],
                "one": {"title": "one"},
                "number": [{"countAll": 1}],
                "now": now,
            }
        }
    answer = await ask("{ notes(asOf: null) { title } }")
    assert answer["data"]["notes"] == now, "no moment is the present"
    wrong = "query ($when: String) { notes_by_id(id: 1, asOf: $when) { title } now: notes { title } }"
    for when, said in (
        ("x", "asOf"),
        ("2999-01-01", "future"),
        ("0", "no position"),
        ("2001-01-01", "before"),
    ):
        answer = await ask(wrong, when=when)
        assert answer["data"] == {"notes_by_id": None, "now": now}, answer
        [error] = answer["errors"]
        assert (error["extensions"]["code"], error["path"]) == ("INVALID_QUERY", ["notes_by_id"])
        assert said in error["message"]
    answer = await ask('{ notes(asOf: "x") { title } }')
    assert (answer.get("data"), len(answer["errors"])) == (None, 1)
    refused = await ask('mutation { create_notes_items(asOf: "1", data: []) { title } }')
    assert refused["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION"


async def test_redaction(api: Client, server: Server, prepared_url: str) -> None:
    made = await api.post("/items/notes", {"title": "zanzibar one"})
    request = {name.lower(): value for name, value in made.headers.items()}["x-request-id"]
    await api.patch("/items/notes/1", {"title": "zanzibar two"})
    body = {"collection": "notes", "items": [1]}
    assert (await api.post("/utils/redact", body)).status == 400, "the live row has it"
    await api.delete("/items/notes/1")
    async with client(server, None) as anonymous:
        assert (await anonymous.post("/utils/redact", body)).status == 403
    for bad in (
        {},
        {"collection": "notes"},
        {**body, "items": "1"},
        {**body, "fields": [1]},
        {**body, "fields": ["id"]},
    ):
        assert (await api.post("/utils/redact", bad)).status == 400, bad
    assert (await api.post("/utils/redact", {**body, "collection": "nothing"})).status == 403
    assert (await api.post("/utils/redact", body)).data == {"events": 2}
    shown = "redacted 1"
    assert (await api.get("/items/notes", as_of=request)).data == [{"id": 1, "title": shown}]
    told = await api.get("/revisions", **{"filter[item][_eq]": "1", "filter[collection][_eq]": "notes"})
    assert {one["delta"]["title"] for one in told.data} == {shown}
    with psycopg.connect(prepared_url) as connection:
        left = connection.execute(
            "select count(*) from acta.events where events::text like '%zanzibar%'"
        ).fetchone()
        assert left == (0,)
    await api.post("/items/notes", {"title": "another"})
    done = acta(prepared_url, "redact", "notes", "2", "--yes")
    assert (done.returncode, "empty or delete" in done.stderr) == (1, True)
    await api.patch("/items/notes/2", {"title": None})
    assert acta(prepared_url, "redact", "notes", "2", "--field", "title", "--yes").returncode == 0
    assert acta(prepared_url, "verify").returncode == 0
    assert acta(prepared_url, "rebuild", "--check").returncode == 0


BAD: list[dict[str, object]] = [
    {},
    {"request": "x"},
    {"request": 5},
    {"activity": "x"},
    {"activity": 2**63},
    {"activity": 999999},
    {"user": "00000000-0000-4000-8000-000000000000"},
    {"user": "00000000-0000-4000-8000-000000000000", "from": "nonsense"},
    {"user": "00000000-0000-4000-8000-000000000000", "from": 5},
    {"request": "00000000-0000-4000-8000-000000000000", "skip": "yes"},
    {"request": "00000000-0000-4000-8000-000000000000", "activity": 1},
]


async def test_bad_input(api: Client) -> None:
    for body in BAD:
        assert (await api.post("/utils/undo", body)).status == 400, body
    for query in ({}, {"from": "x"}, {"from": "1", "to": "99999"}, {"from": "1", "limit": "-1"}):
        assert (await api.get("/utils/diff", **query, collection="notes")).status == 400, query
