"""Filters of the model: what is refused leaves nothing behind, what is changed is read like a request."""

from typing import Any

import pytest

from tests.support.http import Answer, Client

KEY = {"field": "id", "type": "integer", "schema": {"has_auto_increment": True}, "meta": {"note": "key"}}


def made(name: str, note: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"collection": name, "schema": {}, "meta": {"note": note}, "fields": [KEY, *fields]}


def place(note: str, **more: Any) -> dict[str, Any]:
    return {"field": "place", "type": "integer", "meta": {"note": note}, **more}


async def shown(api: Client, event: str) -> list[dict[str, Any]]:
    """What filters were shown and noted."""
    found = (await api.get("/items/hints", limit=-1, sort="id")).data
    return [entry["data"] for entry in found if entry["data"]["event"] == event]


async def fields_of(api: Client, collection: str) -> dict[str, Any]:
    return {entry["field"]: entry for entry in (await api.get(f"/fields/{collection}")).data}


async def test_filters_see_and_change_requests(api: Client) -> None:
    answer = await api.post(
        "/collections", made("shelves", "seen", place("seen"), {"field": "bare", "type": "string"})
    )
    assert answer.data["meta"]["note"] == "changed"
    [collection] = await shown(api, "collections.create")
    assert (collection["collection"], collection["payload"]["collection"]) == (
        "directus_collections",
        "shelves",
    )
    [row] = await shown(api, "fields.create")
    assert row["collection"] == "directus_fields"
    assert row["payload"] == {"collection": "shelves", "field": "place", "note": "seen"}
    found = await fields_of(api, "shelves")
    assert (found["place"]["meta"]["note"], list(found)) == ("changed", ["id", "place", "bare"])

    created = await api.post(
        "/fields/shelves", {"field": "color", "type": "string", "meta": {"note": "seen"}}
    )
    assert created.data["meta"]["note"] == "changed"
    field = (await shown(api, "fields.create"))[-1]
    assert (field["collection"], field["payload"]["type"]) == ("shelves", "string")
    for body, path in (
        ({"meta": {"note": "seen"}}, "/color"),
        ([{"field": "color", "meta": {"note": "seen"}}], ""),
    ):
        await api.patch("/fields/shelves/color", {"meta": {"note": "reset"}})
        assert (await api.patch(f"/fields/shelves{path}", body)).status == 200
        assert (await fields_of(api, "shelves"))["color"]["meta"]["note"] == "changed"
    changes = await shown(api, "fields.update")
    assert [(one["keys"], one["collection"]) for one in changes] == [(["color"], "shelves")] * 2

    await api.patch("/collections/shelves", {"meta": {"note": "seen"}})
    await api.patch("/collections", [{"collection": "shelves", "meta": {"note": "seen"}}])
    changes = await shown(api, "collections.update")
    assert [(one["keys"], one["collection"]) for one in changes] == [
        (["shelves"], "directus_collections")
    ] * 2

    link = {"collection": "shelves", "field": "place", "related_collection": "articles"}
    assert (await api.post("/relations", {**link, "meta": {"note": "seen"}})).status == 200
    assert (await shown(api, "relations.create"))[0]["payload"]["related_collection"] == "articles"
    await api.patch("/relations/shelves/place", {"meta": {"note": "seen"}})
    assert (await shown(api, "relations.update"))[0]["keys"] == ["shelves.place"]
    assert (await api.delete("/collections/shelves")).status == 204


REFUSED = [
    ("raise", 500, "INTERNAL_SERVER_ERROR"),
    ("number", 500, "INTERNAL_SERVER_ERROR"),
    ("hang", 503, "SERVICE_UNAVAILABLE"),
    ("refuse", 418, "TEAPOT"),
    ("half", 409, "HALF"),
]


@pytest.mark.parametrize(("note", "status", "code"), REFUSED)
async def test_what_is_refused_leaves_nothing_behind(api: Client, note: str, status: int, code: str) -> None:
    def refused(answer: Answer) -> None:
        assert (answer.status, answer.error["code"]) == (status, code), answer.body
        assert "secret of the operator" not in str(answer.body)

    before = (await api.get("/fields/echoes")).data, (await api.get("/collections/echoes")).data
    # The second of two, and a row of a field: the first collection goes along.
    refused(await api.post("/collections", [made("first", "fine"), made("second", note)]))
    refused(await api.post("/collections", [made("first", "fine"), made("second", "fine", place(note))]))
    for name in ("first", "second"):
        assert (await api.get(f"/collections/{name}")).status == 403
    refused(await api.post("/fields/echoes", place(note)))
    refused(await api.patch("/fields/echoes/text", {"meta": {"note": note}}))
    refused(await api.patch("/collections/echoes", {"meta": {"note": note}}))
    refused(await api.patch("/collections", [{"collection": "echoes", "meta": {"note": note}}]))
    link = {"collection": "bad", "field": "num", "related_collection": "echoes", "meta": {"note": note}}
    refused(await api.post("/relations", link))
    refused(await api.patch("/relations/articles/parent", {"meta": {"note": note}}))
    assert ((await api.get("/fields/echoes")).data, (await api.get("/collections/echoes")).data) == before
    assert (await api.get("/relations/bad/num")).status == 403
    assert (await api.get("/items/news_log", filter={"text": "half of a model"})).data == []


async def test_what_filters_answer_is_read_like_a_request(api: Client) -> None:
    refused = [
        await api.post("/collections", made("odd", "nonsense", place("fine", type="alias"), {"field": 7})),
        await api.post("/fields/echoes", place("nonsense")),
        await api.patch("/fields/echoes/text", {"meta": {"note": "nonsense"}}),
        await api.post(
            "/relations",
            {
                "collection": "bad",
                "field": "num",
                "related_collection": "echoes",
                "meta": {"note": "nonsense"},
            },
        ),
    ]
    assert [(one.status, one.error["code"]) for one in refused] == [(400, "INVALID_PAYLOAD")] * 4
    # A change stays where it belongs.
    moved = await api.patch("/fields/echoes/text", {"meta": {"note": "elsewhere"}})
    assert (moved.data["collection"], moved.data["field"]) == ("echoes", "text")
    assert "elsewhere" not in await fields_of(api, "bad")


async def test_deletions_may_be_refused_or_called_off(api: Client) -> None:
    for name in ("stubborn", "lucky", "gone"):
        assert (await api.post("/fields/hints", {"field": name, "type": "integer"})).status == 200
        assert (await api.post("/collections", made(name, "fine"))).status == 200
    for path in ("/fields/hints/", "/collections/"):
        refused = await api.delete(f"{path}stubborn")
        assert (refused.status, refused.error["code"]) == (409, "STUBBORN")
        # It was answered with the name of something else, which stays, too.
        assert (await api.delete(f"{path}lucky")).status == 204
        assert (await api.delete(f"{path}gone")).status == 204
        assert [(await api.get(path + name)).status for name in ("stubborn", "lucky", "gone")] == [
            200,
            200,
            403,
        ]
    link = {"collection": "hints", "related_collection": "articles", "schema": None}
    for name in ("stubborn", "free"):
        await api.post("/fields/hints", {"field": name, "type": "integer"})
        assert (await api.post("/relations", {**link, "field": name})).status == 200
    assert (await api.delete("/relations/hints/stubborn")).status == 409
    assert (await api.delete("/relations/hints/free")).status == 204
    for name in ("stubborn", "lucky"):
        assert (await api.get(f"/collections/{name}")).status == 200


async def test_other_ways_to_change_the_model(api: Client) -> None:
    document = "mutation ($data: write_directus_fields_input!) {"
    document += ' create_fields_item(collection: "echoes", data: $data) { field meta { note } } }'
    data = {"field": "by_graphql", "type": "string", "meta": {"note": "seen"}}
    answer = await api.post("/graphql/system", {"query": document, "variables": {"data": data}})
    assert answer.data["create_fields_item"]["meta"]["note"] == "changed", answer.body
    label = {"field": "label", "type": "string", "meta": {"note": "not in new collections"}}
    assert (await api.post("/fields/bad", label)).status == 200
    wish = {"collection": "bad", "fields": ["label"]}
    refused = await api.post("/utils/translations/generate", wish)
    assert (refused.status, refused.error["code"]) == (418, "TEAPOT")
    for name in ("languages", "bad_translations"):
        assert (await api.get(f"/collections/{name}")).status == 403
    await api.patch("/fields/bad/label", {"meta": {"note": "fine"}})
    assert (await api.post("/utils/translations/generate", wish)).status == 200
    wish = {"collection": "bad", "field": "num", "type": "text"}
    assert (await api.post("/schema/retype", wish)).status == 418
    assert (await api.request("POST", "/schema/retype", wish, query={"dry": "true"})).status == 200
    assert (await fields_of(api, "bad"))["num"]["type"] == "integer"
