"""Every operation, really run: what it gives and what it fails with."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from tests.flows.conftest import Steps, make_flow
from tests.support.http import Client
from tests.support.server import free_port
from tests.support.waiting import until

HUNGRY = "module.exports = () => { const a = []; for (;;) a.push(new Array(1e6).fill('x')); }"
CIRCLE = "module.exports = () => { const a = {}; a.a = a; return a; }"
FORGED = {"operation": "verify", "token": "a.b.c", "secret": "x" * 32}


async def result(api: Client, kind: str, options: dict[str, Any], body: Any = None, **flow: Any) -> Any:
    """What a webhook flow of one operation answers with; the status when it has no body."""
    key = await make_flow(api, [("x", kind, options)], options={"method": "POST", "return": "x"}, **flow)
    answer = await api.post(f"/flows/trigger/{key}", body if body is not None else {})
    return answer.body if answer.body is not None else answer.status


@pytest.fixture
async def elsewhere() -> AsyncIterator[str]:
    async def echo(request: web.Request) -> web.Response:
        if request.path == "/away":
            raise web.HTTPFound("/there?moved=1")
        if request.path == "/inside":
            raise web.HTTPFound("http://10.1.2.3/secret")
        body = {"method": request.method, "query": dict(request.query), "body": await request.text()}
        return web.json_response(body, status=418 if request.path == "/bad" else 200)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


@pytest.mark.parametrize(
    ("kind", "options", "found"),
    [
        ("transform", {"json": '{"a": [1, "{{ $trigger.body.n }}"]}'}, {"a": [1, "7"]}),
        ("transform", {"json": {"n": "{{ $trigger.body.n }}"}}, {"n": 7}),
        ("condition", {"filter": {"$trigger": {"body": {"n": {"_gt": 5}}}}}, 204),
        ("log", {"message": "{{ $trigger.body.n }}"}, 204),
        ("sleep", {"milliseconds": "10"}, 204),
        ("exec", {"code": "module.exports = async d => ({n: d.$trigger.body.n * 2})"}, {"n": 14}),
        ("exec", {"code": "module.exports = () => process.env.GREETING"}, "hello"),
        ("exec", {"code": "module.exports = () => typeof require"}, "undefined"),
        ("nonsense", {}, 204),
        ("trigger", {"flow": "00000000-0000-4000-8000-000000000000"}, 204),
    ],
)  # fmt: skip
async def test_results(api: Client, kind: str, options: dict[str, Any], found: Any) -> None:
    assert await result(api, kind, options, {"n": 7}) == found


@pytest.mark.parametrize(
    ("kind", "options", "member", "value"),
    [
        ("condition", {"filter": {"$trigger": {"body": {"n": {"_gt": 9}}}}}, "code", "FAILED_VALIDATION"),
        ("condition", {"filter": {}}, "code", "INVALID_PAYLOAD"),
        ("transform", {"json": "{"}, "code", "INVALID_PAYLOAD"),
        ("throw-error", {"code": "MINE", "status": "422", "message": "no"}, "status", 422),
        ("item-read", {"collection": "nope"}, "code", "FORBIDDEN"),
        ("item-create", {"collection": "notes", "payload": 5}, "code", "INVALID_PAYLOAD"),
        ("item-read", {"collection": "notes", "permissions": "$public"}, "code", "FORBIDDEN"),
        ("exec", {"code": "module.exports = () => { throw new RangeError('off'); }"}, "message", "off"),
        ("exec", {"code": "this is no JavaScript"}, "name", "SyntaxError"),
        ("exec", {"code": "module.exports = () => { throw '{\"a\": 1}'; }"}, "a", 1),
        ("exec", {"code": CIRCLE}, "name", "TypeError"),
        ("exec", {"code": "module.exports = () => 10n"}, "name", "TypeError"),
        ("json-web-token", FORGED, "name", "JsonWebTokenError"),
        ("json-web-token", {"operation": "sign", "payload": {}, "secret": ""}, "code", "INVALID_PAYLOAD"),
        ("request", {"url": "http://10.1.2.3/"}, "message", "the address is denied"),
        ("request", {"url": "file:///etc/passwd"}, "message", "only http and https are fetched"),
    ],
)  # fmt: skip
async def test_failures(api: Client, kind: str, options: dict[str, Any], member: str, value: Any) -> None:
    found = await result(api, kind, options, {"n": 7})
    assert (found[0] if isinstance(found, list) else found)[member] == value


@pytest.mark.parametrize("code", [HUNGRY, "module.exports = () => { for (;;); }"])
async def test_a_script_is_ended(api: Client, code: str) -> None:
    found = await result(api, "exec", {"code": code})
    # Which of the two limits is met first depends on the machine.
    assert found["message"] in ("The script wanted too much memory", "The script ran too long")
    assert await result(api, "exec", {"code": "module.exports = () => 1"}) == 1


async def test_an_error_is_answered_when_asked_for(api: Client) -> None:
    options = {"method": "POST", "error_on_reject": True}
    failing: Steps = [("x", "throw-error", {"code": "MINE", "status": 422, "message": "no"})]
    answer = await api.post(f"/flows/trigger/{await make_flow(api, failing, options=options)}", {})
    assert (answer.status, answer.error["code"]) == (422, "MINE")
    caught = [*failing, ("y", "transform", {"json": {"caught": "{{ x.code }}"}})]
    key = await make_flow(api, caught, {"x": "y"}, options=options)
    assert (await api.post(f"/flows/trigger/{key}", {})).body == {"caught": "MINE"}


async def test_items_as_the_caller_or_somebody_else(api: Client) -> None:
    steps: Steps = [
        ("make", "item-create", {"collection": "notes", "payload": [{"title": "a"}, {"title": "b"}]}),
        ("change", "item-update", {"collection": "notes", "key": "{{ make[0] }}", "payload": {"num": 1}}),
        (
            "read",
            "item-read",
            {"collection": "notes", "key": "{{ make }}", "query": {"fields": ["title", "num"]}},
        ),
        ("drop", "item-delete", {"collection": "notes", "query": {"filter": {"id": {"_in": "{{ make }}"}}}}),
    ]
    key = await make_flow(api, steps, options={"method": "POST", "return": "$all"})
    found = (await api.post(f"/flows/trigger/{key}", {})).body
    assert found["change"] == found["make"][0]
    assert found["read"] == [{"title": "a", "num": 1}, {"title": "b", "num": None}]
    assert found["drop"] == found["make"]
    assert found["$trigger"]["headers"]["authorization"] == "--redacted--"
    activity = await api.get("/activity", filter={"collection": "notes"}, fields="user,action")
    assert {entry["action"] for entry in activity.data} == {"create", "update", "delete"}


async def test_tokens(api: Client) -> None:
    secret = "a secret of thirty-two characters"
    sign = {"operation": "sign", "payload": {"a": 1}, "secret": secret, "options": {"expiresIn": "1h"}}
    token = await result(api, "json-web-token", sign)
    verified = await result(api, "json-web-token", {"operation": "verify", "token": token, "secret": secret})
    assert (verified["a"], verified["exp"] - verified["iat"]) == (1, 3600)
    assert (await result(api, "json-web-token", {"operation": "decode", "token": token}))["a"] == 1


async def test_requests(api: Client, elsewhere: str) -> None:
    headers = [{"header": "X-A", "value": "1"}]
    options = {"method": "POST", "url": f"{elsewhere}/there", "headers": headers, "body": '{"b": 2}'}
    found = await result(api, "request", options)
    assert (found["status"], found["data"]["body"]) == (200, '{"b": 2}')
    moved = await result(api, "request", {"method": "GET", "url": f"{elsewhere}/away"})
    assert moved["data"]["query"] == {"moved": "1"}
    assert (await result(api, "request", {"url": f"{elsewhere}/bad"}))["status"] == 418
    inside = await result(api, "request", {"url": f"{elsewhere}/inside"})
    assert inside["message"] == "the address is denied"


async def test_flows_call_flows(api: Client) -> None:
    inner = await make_flow(
        api, [("double", "transform", {"json": {"v": "{{ $trigger.v }}"}})], trigger="operation",
        options={"return": "double.v"},
    )  # fmt: skip
    many = {"flow": inner, "payload": [{"v": 1}, {"v": 2}, {"v": 3}]}
    for mode in ("parallel", "serial", "batch"):
        assert await result(api, "trigger", {**many, "iterationMode": mode}) == [1, 2, 3]
    assert await result(api, "trigger", {"flow": inner, "payload": '{"v": 9}'}) == 9
    assert (await api.post(f"/flows/trigger/{inner}", {})).status == 403
    me = await make_flow(api, [("again", "log", {})], trigger="operation")
    [operation] = (await api.get("/operations", filter={"flow": me}, fields="id")).data
    await api.patch(
        f"/operations/{operation['id']}", {"type": "trigger", "options": {"flow": me, "payload": 1}}
    )
    assert (await result(api, "trigger", {"flow": me, "payload": 1}))["code"] == "INVALID_PAYLOAD"


async def test_a_run_is_activity_and_a_revision_without_secrets(api: Client) -> None:
    key = await make_flow(api, [("x", "transform", {"json": {"a": 1}})], options={"method": "POST"})
    await api.post(f"/flows/trigger/{key}", {"b": 2})
    [activity] = (await api.get("/activity", filter={"item": key, "action": "run"})).data
    assert activity["collection"] == "directus_flows"
    [revision] = (await api.get("/revisions", filter={"activity": activity["id"]})).data
    assert revision["delta"] is None
    assert revision["data"]["steps"][0]["status"] == "resolve"
    assert revision["data"]["data"]["$trigger"]["headers"]["authorization"] == "--redacted--"
    failing: Steps = [("x", "throw-error", {"code": "Z", "status": 400, "message": "as told"})]
    failed = await make_flow(api, failing, options={"method": "POST"})
    assert "message" not in (await api.post(f"/flows/trigger/{failed}", {})).body
    [revision] = (
        await api.get(
            "/revisions", filter={"item": failed, "collection": "directus_flows"}, sort="-id", limit=1
        )
    ).data
    assert (
        revision["data"]["data"]["x"]["message"] == revision["data"]["data"]["$last"]["message"] == "as told"
    )
    quiet = await make_flow(api, [("x", "log", {})], accountability=None, options={"method": "POST"})
    await api.post(f"/flows/trigger/{quiet}", {})
    assert (await api.get("/activity", filter={"item": quiet, "action": "run"})).data == []


async def test_background(api: Client) -> None:
    say = {"collection": "said", "payload": {"text": "late"}}
    steps: Steps = [("wait", "sleep", {"milliseconds": 200}), ("say", "item-create", say)]
    key = await make_flow(api, steps, options={"method": "POST", "async": True})
    assert (await api.post(f"/flows/trigger/{key}", {})).status == 204

    async def ran() -> bool:
        return bool((await api.get("/items/said", filter={"text": "late"})).data)

    await until(ran)


async def test_mails_of_a_flow_are_counted(api: Client) -> None:
    letter = {"to": "a@example.com", "subject": "s", "body": "b"}
    key = await make_flow(api, [("x", "mail", letter)], options={"method": "POST"})
    assert (await api.post(f"/flows/trigger/{key}", {})).status == 204
    assert (await api.post(f"/flows/trigger/{key}", {})).status == 204
    refused = (await api.post(f"/flows/trigger/{key}", {})).body
    assert (refused["code"], refused["status"]) == ("EMAIL_LIMIT_EXCEEDED", 429)
    assert await result(api, "mail", letter) == 204
