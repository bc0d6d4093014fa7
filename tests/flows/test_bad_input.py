"""Flows that make no sense: nothing is lost, nothing holds up writes, and the log says why."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import SETTINGS, Steps, make_flow
from tests.support.http import Client, client
from tests.support.server import Server, start


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "server"


@pytest.fixture(scope="module")
def server(served_url: str, log_file: Path) -> Iterator[Server]:
    with log_file.open("wb") as stderr:
        running = start(served_url, extra={**SETTINGS, "FLOWS_RUN_SCRIPT_TIMEOUT": "6000"}, stderr=stderr)
        yield running
        running.stop()


async def told(log_file: Path, *words: str) -> None:
    """Wait until a line of the log has all these words."""
    for _ in range(600):
        if any(all(word in line for word in words) for line in log_file.read_text().splitlines()):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"no line has {words}:\n{log_file.read_text()}")


async def operation(api: Client, flow: str, key: str) -> str:
    [found] = (await api.get("/operations", filter={"flow": flow, "key": key}, fields="id")).data
    return str(found["id"])


async def test_a_circle_of_links(api: Client, log_file: Path) -> None:
    steps: Steps = [("a", "transform", {"json": {"n": 1}}), ("b", "log", {})]
    options = {"method": "POST", "error_on_reject": True}
    flow = await make_flow(api, steps, name="circle", options=options)
    first, second = await operation(api, flow, "a"), await operation(api, flow, "b")
    assert (await api.patch(f"/operations/{second}", {"resolve": first})).status == 200
    answer = await api.post(f"/flows/trigger/{flow}", {})
    assert (answer.status, answer.error["code"]) == (422, "UNPROCESSABLE_CONTENT")
    await told(log_file, "circle", "leads back to a")
    await api.patch(f"/operations/{first}", {"resolve": None})
    await api.patch(f"/operations/{first}", {"reject": first})
    assert (await api.post(f"/flows/trigger/{flow}", {})).body == {"n": 1}


async def test_an_operation_that_is_missing(api: Client, log_file: Path) -> None:
    other = await make_flow(api, [("far", "log", {})], options={"method": "POST"})
    flow = await make_flow(
        api, [("a", "transform", {"json": [1]})], name="loose end", options={"method": "POST"}
    )
    strange = await operation(api, other, "far")
    await api.patch(f"/operations/{await operation(api, flow, 'a')}", {"resolve": strange})
    assert (await api.post(f"/flows/trigger/{flow}", {})).body == [1]
    await told(log_file, "loose end", strange, "no operation of it")
    gone = await api.delete(f"/operations/{strange}")
    assert (gone.status, gone.error["code"]) == (400, "INVALID_FOREIGN_KEY")
    nothing = await api.post("/flows", {"name": "n", "trigger": "webhook", "options": {"method": "POST"}})
    assert (await api.post(f"/flows/trigger/{nothing.data['id']}", {"a": 1})).body["body"] == {"a": 1}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"collection": "notes", "payload": {"num": "{{ $trigger.body.no.thing }}"}}, "INVALID_PAYLOAD"),
        ({"collection": "{{ nothing }}", "payload": {}}, "FORBIDDEN"),
        ({"collection": "notes", "payload": "{{ nothing }}"}, "INVALID_PAYLOAD"),
        ({"payload": {}}, "INVALID_PAYLOAD"),
        ({"collection": "notes", "payload": {"title": "{{ a.b[99999999999999999999] }}"}}, None),
        ({"collection": "notes", "payload": {"title": "{{ $last.__class__ }} {{ }} {{ {{ x }} }}"}}, None),
    ],
)
async def test_templates_on_what_is_not_there(api: Client, options: dict[str, Any], code: str | None) -> None:
    flow = await make_flow(api, [("x", "item-create", options)], options={"method": "POST"})
    answer = await api.post(f"/flows/trigger/{flow}", {})
    assert answer.status == 200
    if code is None:
        [made] = answer.body
        assert "undefined" in (await api.get(f"/items/notes/{made}")).data["title"]
    else:
        assert answer.body["code"] == code


async def test_endless_scripts_hold_up_nobody(api: Client) -> None:
    endless = "module.exports = () => { for (;;); }"
    flow = await make_flow(api, [("x", "exec", {"code": endless})], options={"method": "POST"})
    running = [asyncio.create_task(api.post(f"/flows/trigger/{flow}", {})) for _ in range(3)]
    await asyncio.sleep(0.3)
    for number in range(5):
        assert (await api.post("/items/notes", {"num": number})).status == 200
    # All of that came before the scripts ended, which may take six seconds.
    assert [task.done() for task in running] == [False] * 3
    for answer in await asyncio.gather(*running):
        assert answer.body["message"] == "The script ran too long"
    never = "module.exports = () => new Promise(() => {})"
    flow = await make_flow(api, [("x", "exec", {"code": never})], options={"method": "POST"})
    assert "never came to an end" in (await api.post(f"/flows/trigger/{flow}", {})).body["message"]


@pytest.mark.parametrize(
    "cron", ["soon", "", None, 5, "99 * * * *", "* * * * * * * *", "0 0 31 2 *", "@often", {}]
)
async def test_schedules_that_make_no_sense(api: Client, log_file: Path, cron: Any) -> None:
    name = f"cron {cron!r}"
    flow = await make_flow(api, [("x", "log", {})], trigger="schedule", name=name, options={"cron": cron})
    await told(log_file, "never runs", name)
    await api.delete(f"/flows/{flow}")


async def test_flows_that_set_themselves_off(api: Client, server: Server, log_file: Path) -> None:
    again = {"collection": "notes", "payload": {"title": "echo"}, "emitEvents": True}
    options = {"type": "action", "scope": ["items.create"], "collections": ["notes"]}
    steps: Steps = [("x", "item-create", again)]
    flow = await make_flow(api, steps, trigger="event", name="echo", options=options)
    await api.post("/items/notes", {"title": "call"})
    await told(log_file, "echo does not run", "set each other off")
    assert len((await api.get("/items/notes", filter={"title": "echo"}, limit=-1)).data) == 20
    await api.delete(f"/flows/{flow}")
    blocking = {**options, "type": "filter"}
    flow = await make_flow(api, steps, trigger="event", options=blocking)
    answer = await api.post("/items/notes", {"title": "call"})
    assert (answer.status, answer.error["code"]) == (400, "INVALID_PAYLOAD")
    await api.delete(f"/flows/{flow}")
    async with client(server) as another:
        assert (await another.post("/items/notes", {"title": "fine"})).status == 200


async def test_a_filter_is_part_of_the_transaction(api: Client) -> None:
    """What a filter flow writes, its own entry in the activity included, goes with the request it refuses."""
    write = {"collection": "said", "payload": {"text": "before"}}
    steps: Steps = [("w", "item-create", write), ("no", "throw-error", {"status": 409, "code": "NO"})]
    options = {"type": "filter", "scope": ["items.update"], "collections": ["notes"]}
    flow = await make_flow(api, steps, trigger="event", options=options)
    made = (await api.post("/items/notes", {"title": "x"})).data["id"]
    assert (await api.patch(f"/items/notes/{made}", {"title": "y"})).status == 409
    assert (await api.get("/items/said", filter={"text": "before"})).data == []
    assert (await api.get("/activity", filter={"item": flow, "action": "run"})).data == []
    await api.patch(f"/operations/{await operation(api, flow, 'w')}", {"resolve": None})
    assert (await api.patch(f"/items/notes/{made}", {"title": "y"})).status == 200
    assert len((await api.get("/items/said", filter={"text": "before"})).data) == 1
    assert len((await api.get("/activity", filter={"item": flow, "action": "run"})).data) == 1
    many = [asyncio.create_task(api.patch(f"/items/notes/{made}", {"num": n})) for n in range(30)]
    assert {answer.status for answer in await asyncio.gather(*many)} == {200}
    await api.delete(f"/flows/{flow}")
