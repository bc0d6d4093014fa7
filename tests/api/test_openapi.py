"""The OpenAPI description against what it describes."""

from tests.support.http import Client


async def test_the_document_refers_to_nothing_that_it_lacks(api: Client) -> None:
    answer = await api.get("/server/specs/oas")
    document = answer.body
    assert document["openapi"] == "3.0.1"
    references: set[str] = set()
    pending = [document]
    while pending:
        entry = pending.pop()
        if isinstance(entry, dict):
            if isinstance(entry.get("$ref"), str):
                references.add(entry["$ref"])
            pending.extend(entry.values())
        elif isinstance(entry, list):
            pending.extend(entry)
    for reference in references:
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    assert {"/items/notes", "/items/notes/{id}", "/users", "/settings"} <= document["paths"].keys()
    assert document["components"]["schemas"]["ItemsNotes"]["properties"]["title"]["type"] == "string"


async def test_everybody_sees_what_he_may_do(anonymous: Client) -> None:
    assert (await anonymous.get("/server/specs/oas")).body["paths"] == {}
