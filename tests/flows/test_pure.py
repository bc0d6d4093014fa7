"""Templates, conditions, redaction and the course of a run: without a server."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from domain.access.caller import Caller
from domain.errors import FailedValidation, Forbidden, InvalidPayload
from domain.flows.conditions import check
from domain.flows.model import Flow, Operation, flows_of
from domain.flows.redaction import redacted
from domain.flows.running import Rejected, Run, begin, proceed, raised, returned
from domain.flows.subscriptions import event_name, listening
from domain.flows.templates import MISSING, expand, resolve

DATA: dict[str, Any] = {"a": {"b": [1, {"x-y": None}]}, "text": "t", "list": [1, 2]}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b[0]", 1),
        ('a.b[1]["x-y"]', None),
        ("a.b[1]['x-y'].z", MISSING),
        ("list.length", 2),
        ("list[7]", MISSING),
        ("nope", MISSING),
        ("", MISSING),
        ("a..b", MISSING),
        ("a.b[", MISSING),
    ],
)
def test_paths(path: str, value: Any) -> None:
    assert resolve(path, DATA) is value or resolve(path, DATA) == value


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ a.b }}", [1, {"x-y": None}]),
        ("{{list}}!", "[1,2]!"),
        ("{{ nope }}", "undefined"),
        ("<{{ nope }}>", "<undefined>"),
        ("{{ a.b[1]['x-y'] }}-", "null-"),
        ({"{{ text }}": ["{{ text }}", 5]}, {"{{ text }}": ["t", 5]}),
        ("{{ text }}{{ text }}", "tt"),
    ],
)
def test_expansion(template: Any, value: Any) -> None:
    assert expand(template, DATA) == value


def test_conditions() -> None:
    data = {"$trigger": {"body": {"n": "3"}}}
    assert check({"$trigger": {"body": {"n": {"_eq": 3}}}}, data) == []
    [failed] = check({"$trigger": {"body": {"n": {"_gt": 3}}}}, data)
    assert isinstance(failed, FailedValidation)
    assert check({"$trigger": {"body": {"m": {"_null": True}}}}, data)
    with pytest.raises(InvalidPayload):
        check({}, data)


def test_secrets_are_not_written_down() -> None:
    given = {
        "headers": {"Authorization": "Bearer x", "cookie": "c", "host": "h"},
        "query": {"access_token": "x", "a": "b"},
        "payload": {"password": "p", "title": "key is S3CRET"},
    }
    assert redacted({"deep": [given]}, {"KEY": "S3CRET"}) == {
        "deep": [
            {
                "headers": {"Authorization": "--redacted--", "cookie": "--redacted--", "host": "h"},
                "query": {"access_token": "--redacted--", "a": "b"},
                "payload": {"password": "--redacted--", "title": "key is --redacted:KEY--"},
            }
        ]
    }


def test_secrets_are_not_written_down_elsewhere() -> None:
    headers = {"authorization": "Bearer its-token", "cookie": "a=one-cookie; b=other-cookie"}
    text = "its-token one-cookie other-cookie S3CRET pin-1234 Bearer"
    given = {
        "$trigger": {"headers": headers, "payload": {"a": {"password": "long one"}}},
        "copy": [text, "long one"],
    }
    found = redacted(given, {"KEY": "S3CRET"}, ["pin-1234"])
    hidden = " ".join(["--redacted--"] * 3 + ["--redacted:KEY--", "--redacted--", "Bearer"])
    assert found["copy"] == [hidden, "--redacted--"]
    assert found["$trigger"]["payload"] == {"a": {"password": "--redacted--"}}


def flow(*operations: Operation, **options: Any) -> Flow:
    return Flow("f", "f", "webhook", "all", options, operations[0].id, {one.id: one for one in operations})


def step(name: str, kind: str, resolve: str | None = None, reject: str | None = None) -> Operation:
    return Operation(name, name, kind, {"text": "{{ $last }}"}, resolve, reject)


async def good(options: Any, run: Run) -> Any:
    return {"got": options["text"]}


async def bad(options: Any, run: Run) -> Any:
    raise Forbidden()


async def odd(options: Any, run: Run) -> Any:
    return object()


async def thrown(options: Any, run: Run) -> Any:
    raise Rejected("mine")


PERFORMERS = {"good": good, "bad": bad, "odd": odd, "thrown": thrown}


async def test_links_are_followed() -> None:
    one = flow(step("a", "good", "b"), step("b", "bad", None, "c"), step("c", "good"))
    run = await proceed(begin(one, "start", Caller(), {}), PERFORMERS)
    assert [(entry["key"], entry["status"]) for entry in run.steps] == [
        ("a", "resolve"), ("b", "reject"), ("c", "resolve")
    ]  # fmt: skip
    assert run.data["a"] == {"got": "start"}
    assert run.data["b"]["code"] == "FORBIDDEN"
    assert run.error is None
    assert returned(run, "c.got.status") == 403
    assert returned(run, "nope") is None
    assert returned(run, "$all") is run.data


@pytest.mark.parametrize(("kind", "value"), [("odd", {}), ("thrown", "mine")])
async def test_what_fails_an_operation(kind: str, value: Any) -> None:
    run = await proceed(begin(flow(step("a", kind)), None, None, {}), PERFORMERS)
    assert (run.data["a"], run.steps[0]["status"]) == (value, "reject")
    assert raised(run).code == "INTERNAL_SERVER_ERROR"  # type: ignore[union-attr]


async def test_unknown_operations_end_quietly_and_circles_are_cut() -> None:
    run = await proceed(begin(flow(step("a", "nonsense", "a")), 1, None, {}), PERFORMERS)
    assert (run.steps[0]["status"], run.error) == ("unknown", None)
    run = await proceed(begin(flow(step("a", "good", "b"), step("b", "good", "a")), 1, None, {}), PERFORMERS)
    assert len(run.steps) == 2
    assert run.error is not None


async def test_a_run_goes_on_where_it_was_left() -> None:
    one = flow(step("a", "good", "b"), step("b", "good"))
    kept: list[Any] = []

    async def keep(operation: Operation, run: Run, execute: Callable[[], Awaitable[None]]) -> None:
        await execute()
        kept.append((run.next, dict(run.data)))

    await proceed(begin(one, "start", None, {}), PERFORMERS, keep)
    again = begin(one, "start", None, {})
    again.next, again.data = kept[0]
    assert (await proceed(again, PERFORMERS)).data == kept[1][1]


def test_what_a_flow_listens_to() -> None:
    options = {
        "type": "action",
        "scope": ["items.create", "auth.login"],
        "collections": ["art", "directus_roles"],
    }
    row = {"id": 1, "name": "f", "trigger": "event", "accountability": None, "operation": None}
    found = flows_of([{**row, "options": options}, {**row, "id": 2, "options": None}], [])
    names = listening(found.values(), "action")
    assert set(names) == {"art.items.create", "roles.create", "auth.login"}
    assert listening(found.values(), "filter") == {}
    assert event_name("directus_users", "delete") == "users.delete"
