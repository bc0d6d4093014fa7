"""A scripted registry on loopback: it is told of every topic, may be away or refuse, and holds up nobody."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import orjson
import pytest
from aiohttp import web

from domain.streams.cloud_events import Form
from projections.database import Database
from projections.log import positions
from tests.support.http import Client, client
from tests.support.server import running_server

FIELDS = [
    ("title", "string"), ("body", "text"), ("count", "integer"), ("big", "bigInteger"), ("price", "decimal"),
    ("ratio", "float"), ("on", "boolean"), ("day", "date"), ("hour", "time"), ("at", "timestamp"),
    ("local", "dateTime"), ("data", "json"), ("tags", "csv"), ("key", "uuid"), ("secret", "hash"),
    ("bytes", "binary"),
]  # fmt: skip
VALUES = {
    "title": "a", "body": "b", "count": 1, "big": 2**40, "price": "1.50", "ratio": 0.5, "on": True,
    "day": "2024-01-02", "hour": "10:11:12", "at": "2024-01-02T03:04:05Z", "local": "2024-01-02T03:04:05",
    "data": {"x": [1]}, "tags": ["a", "b"], "key": "8c9f0c2e-3b1a-4c9a-9f51-0123456789ab", "secret": "s",
}  # fmt: skip


class Registry:
    """What it was told, in order; ``status`` is what it answers."""

    def __init__(self) -> None:
        self.status = 503
        self.asked = 0
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.refused: list[str] = []

    async def register(self, request: web.Request) -> web.Response:
        self.asked += 1
        subject = request.match_info["subject"]
        assert request.headers["Authorization"] == "Basic YWN0YTpwYXNzIHdvcmQ="
        assert request.content_type == "application/vnd.schemaregistry.v1+json"
        if self.status != 200:
            return web.json_response({"error_code": 50001}, status=self.status)
        if subject == "acta.refused-value":
            self.refused.append(subject)
            return web.json_response({"error_code": 409, "message": "incompatible"}, status=409)
        body = orjson.loads(await request.read())
        assert body["schemaType"] == "JSON"
        self.told.append((subject, orjson.loads(body["schema"])))
        return web.json_response({"id": len(self.told)})

    async def wait(self, subject: str, count: int) -> dict[str, Any]:
        """The last of so many schemas of a subject."""
        for _ in range(600):
            found = [schema for name, schema in self.told if name == subject]
            if len(found) >= count:
                return found[-1]
            await asyncio.sleep(0.05)
        raise AssertionError(f"{subject} was not told {count} times")


@pytest.fixture
async def registry() -> AsyncIterator[tuple[Registry, str]]:
    found, app = Registry(), web.Application()
    app.router.add_post("/subjects/{subject}/versions", found.register)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield found, f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def make(api: Client, name: str) -> None:
    key = {"field": "id", "type": "integer", "schema": {"is_primary_key": True, "has_auto_increment": True}}
    fields = [key, *({"field": field, "type": kind, "schema": {}} for field, kind in FIELDS)]
    made = await api.post("/collections", {"collection": name, "schema": {}, "fields": fields})
    assert made.status == 200, made.body


async def test_a_registry_is_told(database_url: str, registry: tuple[Registry, str]) -> None:
    found, url = registry
    extra = {
        "SCHEMA_REGISTRY_URL": url,
        "SCHEMA_REGISTRY_USERNAME": "acta",
        "SCHEMA_REGISTRY_PASSWORD": "pass word",
    }
    with running_server(database_url, extra=extra) as server:
        async with client(server) as api:
            await make(api, "all types")
            await make(api, "refused")
            key = (await api.post("/items/all types", VALUES)).data["id"]
            await api.patch(f"/items/all types/{key}", {"title": None, "price": 2})
            await api.post("/items/all types", {})
            await api.delete(f"/items/all types/{key}")
            async with asyncio.timeout(60):
                while found.asked < 2:
                    await asyncio.sleep(0.05)
            assert found.told == []
            found.status = 200
            schema = await found.wait("acta.all_types-value", 1)
            await found.wait("acta.directus_users-value", 1)
            others = await found.wait("acta.schema-value", 1)
            await valid(database_url, {"acta.all_types": schema, "acta.schema": others})
            await api.post("/fields/all types", {"field": "more", "type": "string", "schema": {}})
            again = await found.wait("acta.all_types-value", 2)
            assert again != schema
            assert found.refused
            assert len([name for name, _ in found.told if name == "acta.directus_users-value"]) == 1


async def valid(database_url: str, schemas: dict[str, Any]) -> None:
    """All that is in the log of these topics is as its schema says."""
    form = Form("http://here", "acta.{collection}", "acta.schema", False, 10**6, lambda _: frozenset())
    kinds = set()
    async with await Database.open(database_url) as database, database.connection() as connection:
        for record in await positions.read(connection, 0, 10_000):
            for message in form.messages(record):
                if message.topic in schemas and message.value is not None:
                    jsonschema.validate(orjson.loads(message.value), schemas[message.topic])
                    kinds.add(record.topic)
    assert kinds >= {"item.created", "item.updated", "item.deleted", "collection.created"}
