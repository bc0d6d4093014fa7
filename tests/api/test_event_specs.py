"""The AsyncAPI document: complete, sound in itself, no more than the caller may read."""

from collections.abc import Iterator
from typing import Any

from domain.events import EVENTS
from tests.support.http import client
from tests.support.server import running_server


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for entry in value.values():
            yield from references(entry)


def resolve(document: Any, reference: str) -> Any:
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


async def test_the_document(database_url: str) -> None:
    with running_server(database_url) as server:
        async with client(server) as admin, client(server, token=None) as anybody:
            fields = [
                {
                    "field": "id",
                    "type": "integer",
                    "schema": {"is_primary_key": True, "has_auto_increment": True},
                },
                {"field": "title", "type": "string", "schema": {"max_length": 30}},
            ]
            made = await admin.post(
                "/collections", {"collection": "odd name", "schema": {}, "fields": fields}
            )
            assert made.status == 200, made.body
            document = (await admin.get("/server/specs/events")).body
            assert (await anybody.get("/server/specs/events")).status == 403
    assert document["asyncapi"] == "3.0.0"
    assert all(resolve(document, reference) for reference in references(document))
    assert document["channels"]["acta_odd_name"]["address"] == "acta.odd_name"
    message = document["components"]["messages"]["odd name.item.created"]
    data = message["payload"]["properties"]["data"]
    assert data["required"] == ["id", "title"]
    assert data["properties"] == {
        "id": {"type": "integer"},
        "title": {"type": ["string", "null"], "maxLength": 30},
    }
    told = {
        entry["payload"]["properties"]["type"]["const"]
        for entry in document["components"]["messages"].values()
    }
    assert told == set(EVENTS)
