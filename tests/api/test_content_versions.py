"""Content versions beyond the recorded scenarios: nested changes, secrets, races, other callers."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from tests.support.http import Client, client
from tests.support.server import Server

READER = "token-of-a-reader"


def collection(name: str, fields: list[dict[str, Any]], **meta: Any) -> dict[str, Any]:
    key = {"field": "id", "type": "integer", "schema": {"is_primary_key": True, "has_auto_increment": True}}
    return {"collection": name, "schema": {}, "meta": meta, "fields": [key, *fields]}


def field(name: str, kind: str, *special: str) -> dict[str, Any]:
    return {"field": name, "type": kind, "schema": {}, "meta": {"special": list(special) or None}}


@pytest.fixture(scope="module", autouse=True)
def plans(server: Server) -> None:
    asyncio.run(make_plans(server))


async def make_plans(server: Server) -> None:
    alias = {"field": "steps", "type": "alias", "schema": None, "meta": {"special": ["o2m"]}}
    fields = [
        field("title", "string"),
        field("secret", "hash", "hash", "conceal"),
        field("by", "uuid", "user-updated"),
        field("at", "timestamp", "date-updated"),
        alias,
    ]
    relation = {
        "collection": "steps",
        "field": "plan",
        "related_collection": "plans",
        "schema": {"on_delete": "CASCADE"},
    }
    async with client(server) as api:
        for made in (
            collection("plans", fields, versioning=True),
            collection("steps", [field("text", "string"), field("plan", "integer", "m2o")]),
        ):
            assert (await api.post("/collections", made)).status == 200
        assert (await api.post("/relations", {**relation, "meta": {"one_field": "steps"}})).status == 200
        policy = (await api.post("/policies", {"name": "reading"})).data["id"]
        for name in ("plans", "directus_versions"):
            rule = {"policy": policy, "collection": name, "action": "read", "fields": ["*"]}
            assert (await api.post("/permissions", rule)).status == 200
        reader = {"email": "r@example.com", "token": READER, "policies": [{"policy": policy}]}
        assert (await api.post("/users", reader)).status == 200


@pytest.fixture
async def version(api: Client) -> str:
    """A version `draft` of a new plan with two steps; its id."""
    plan = (await api.post("/items/plans", {"title": "Plan", "steps": [{"text": "a"}, {"text": "b"}]})).data
    made = {"key": "draft", "collection": "plans", "item": str(plan["id"])}
    return str((await api.post("/versions", made)).data["id"])


async def item_of(api: Client, version: str) -> str:
    return str((await api.get(f"/versions/{version}")).data["item"])


async def test_an_item_as_it_would_be(api: Client, version: str, served_url: str) -> None:
    item = await item_of(api, version)
    steps = (await api.get(f"/items/plans/{item}", fields="steps.*")).data["steps"]
    changes = {
        "title": "Better plan",
        "steps": {
            "create": [{"text": "c"}],
            "update": [{"id": steps[0]["id"], "text": "A"}],
            "delete": [steps[1]["id"]],
        },
        "unknown": 1,
    }
    assert (await api.post(f"/versions/{version}/save", changes)).status == 200
    with psycopg.connect(served_url, autocommit=True) as connection:
        count = "select count(*), max(seq) from acta.events"
        before = connection.execute(count).fetchone()
        wanted = {"version": "draft", "fields": "id,title,steps.id,steps.text"}
        drafted = (await api.get(f"/items/plans/{item}", **wanted)).data
        found = sorted(drafted["steps"], key=lambda step: str(step["text"]))
        assert drafted["title"] == "Better plan"
        assert found == [{"id": steps[0]["id"], "text": "A"}, {"id": None, "text": "c"}]
        assert connection.execute(count).fetchone() == before
    raw = (await api.get(f"/items/plans/{item}", version="draft", versionRaw="true", fields="title")).data
    assert raw == {"id": item, **changes}
    assert (await api.get(f"/items/plans/{item}", version="main", fields="title")).data == {"title": "Plan"}
    plain = await api.get(f"/items/plans/{item}", version="none", versionRaw="", fields="title")
    assert plain.data == {"title": "Plan"}
    hash_ = (await api.get(f"/versions/{version}/compare")).data["mainHash"]
    assert (await api.post(f"/versions/{version}/promote", {"mainHash": hash_})).data == item
    after = (await api.get(f"/items/plans/{item}", fields="title,by,steps.text")).data
    assert sorted(step["text"] for step in after["steps"]) == ["A", "c"]
    assert after["by"] is not None


async def test_versions_in_graphql(server: Server, api: Client, version: str) -> None:
    item = await item_of(api, version)
    changes = {"title": "Draft", "steps": {"create": [{"text": "c"}], "update": [], "delete": []}}
    assert (await api.post(f"/versions/{version}/save", changes)).status == 200
    query = """query ($id: ID!, $version: String!) {
        now: plans_by_id(id: $id) { title }
        then: plans_by_id(id: $id, version: $version) { id t: title steps(sort: "text") { id text } }
        main: plans_by_id(id: $id, version: "main") { title }
        none: plans_by_id(id: $id, version: "none") { title }
        raw: plans_by_version(id: $id, version: $version) { __typename key: id name: title steps title }
        plain: plans_by_version(id: $id, version: "none") { title }
        missing: plans_by_version(id: 99999, version: $version) { title }
        past: plans_by_id(id: $id, version: $version, asOf: "1h") { title }
    }"""
    body = {"query": query, "variables": {"id": item, "version": "draft"}}
    answer = await api.post("/graphql", body)
    found = answer.body["data"]
    assert [step["text"] for step in found["then"].pop("steps")] == ["a", "b", "c"]
    assert found == {
        "now": {"title": "Plan"},
        "then": {"id": item, "t": "Draft"},
        "main": {"title": "Plan"},
        "none": None,
        "raw": {
            "__typename": "version_plans",
            "key": item,
            "name": "Draft",
            "steps": changes["steps"],
            "title": "Draft",
        },
        "plain": {"title": "Plan"},
        "missing": None,
        "past": None,
    }
    codes = {error["path"][0]: error["extensions"]["code"] for error in answer.body["errors"]}
    assert codes == {"none": "FORBIDDEN", "missing": "FORBIDDEN", "past": "INVALID_QUERY"}
    assert len((await api.get(f"/items/plans/{item}", fields="steps.id")).data["steps"]) == 2
    async with client(server, READER) as reader:
        # What would follow is for who may promote it; others see the changes as they were sent.
        asked = 'query ($id: ID!) { plans_by_%s(id: $id, version: "draft") { title } }'
        for form, expected in (("id", None), ("version", {"title": "Draft"})):
            body = {"query": asked % form, "variables": {"id": item}}
            assert (await reader.post("/graphql", body)).body["data"] == {f"plans_by_{form}": expected}


async def test_what_a_version_shows_of_itself(api: Client, version: str) -> None:
    item = await item_of(api, version)
    assert (await api.get(f"/versions/{version}")).data["delta"] is None
    await api.post(f"/versions/{version}/save", {"title": "x", "unknown": 1})
    delta = (await api.get(f"/versions/{version}")).data["delta"]
    me = (await api.get("/users/me", fields="id")).data["id"]
    assert delta == {"id": item, "title": "x", "by": me, "at": delta["at"]}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("save", [], 400),
        ("save", {"secret": "clear"}, 400),
        ("promote", {"mainHash": 1}, 400),
        ("promote", {"mainHash": "0" * 40, "fields": "title"}, 400),
        ("promote", {"mainHash": "0" * 40}, 422),
    ],
)
async def test_refused(api: Client, version: str, path: str, body: Any, status: int) -> None:
    assert (await api.post(f"/versions/{version}/{path}", body)).status == status
    assert (await api.get(f"/versions/{version}")).data["delta"] is None


async def test_nothing_to_promote_and_keys_twice(api: Client, version: str) -> None:
    item = await item_of(api, version)
    hash_ = (await api.get(f"/versions/{version}/compare")).data["mainHash"]
    assert (await api.post(f"/versions/{version}/promote", {"mainHash": hash_})).status == 422
    made = {"key": "twice", "collection": "plans", "item": item}
    assert (await api.post("/versions", [made, made])).status == 422
    assert sorted(
        answer.status for answer in await asyncio.gather(*(api.post("/versions", made) for _ in range(4)))
    ) == [200, 422, 422, 422]
    assert (await api.patch(f"/versions/{version}", {"key": "twice"})).status == 422
    assert (await api.patch(f"/versions/{version}", {"delta": {}})).status == 400
    assert (await api.patch(f"/versions/{version}", {"key": "main"})).status == 400


async def test_two_savings_at_once_keep_both(api: Client, version: str) -> None:
    changes = [{"title": "both"}, {"steps": []}]
    await asyncio.gather(*(api.post(f"/versions/{version}/save", change) for change in changes))
    delta = (await api.get(f"/versions/{version}")).data["delta"]
    assert (delta["title"], delta["steps"]) == ("both", [])


async def test_rights_of_others(server: Server, api: Client, anonymous: Client, version: str) -> None:
    item = await item_of(api, version)
    await api.post(f"/versions/{version}/save", {"title": "drafted"})
    hash_ = (await api.get(f"/versions/{version}/compare")).data["mainHash"]
    async with client(server, READER) as reader:
        read = await reader.get(f"/items/plans/{item}", version="draft", fields="title")
        assert read.data == {"title": "drafted"}
        assert (await reader.get(f"/versions/{version}/compare")).data["mainHash"] == hash_
        assert (await reader.post(f"/versions/{version}/promote", {"mainHash": hash_})).status == 403
    for path in (f"/items/plans/{item}?version=draft", f"/versions/{version}/compare"):
        assert (await anonymous.get(path)).status == 403
    assert (await anonymous.post(f"/versions/{version}/save", {"title": "x"})).status == 403
    assert (await api.delete(f"/items/plans/{item}")).status == 204
    assert (await api.get(f"/versions/{version}/compare")).status == 403
    assert (await api.get(f"/versions/{version}")).status == 200
