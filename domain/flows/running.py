"""One run of a flow: from its first operation along the links, until none is left.

The run is plain data between two operations, so that it can be kept and taken up again by another process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import orjson

from domain.access.caller import Caller
from domain.errors import ActaError, ErrorGroup, InternalError, UnprocessableContent
from domain.flows.model import Flow, Operation
from domain.flows.templates import MISSING, expand, resolve


class Rejected(Exception):
    """An operation has failed with a value of its own."""

    def __init__(self, value: Any) -> None:
        super().__init__("rejected")
        self.value = value


class Thrown(ActaError):
    """An error that a flow makes: code and status are what its author chose."""

    def __init__(self, message: str, code: str, status: int) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]  # the one error whose code is data
        self.status = status  # type: ignore[misc]


@dataclass(slots=True)
class Run:
    """How far a run has come.

    Attributes:
        data: The data chain: ``$trigger``, ``$last``, ``$accountability``, ``$env``, and results by key.
        caller: On whose behalf it runs; None for schedules and internal events, which may do anything.
        next: The operation to come, by id; None at the end.
        steps: What was done: operation, key, status, options.
        error: What the last executed operation failed with; None after a success.
        depth: How many flows have called each other to get here.
        secrets: Texts of its trigger that are not to be written down.
        messages: Of the errors in the data, by key: what is written down has them.
        astray: What is wrong with the links of the flow, where it is.
    """

    flow: Flow
    data: dict[str, Any]
    caller: Caller | None = None
    next: str | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)
    error: Exception | None = None
    depth: int = 0
    secrets: frozenset[str] = frozenset()
    astray: str | None = None
    messages: dict[str, str] = field(default_factory=dict)

    @property
    def done(self) -> set[str]:
        """The operations that were executed."""
        return {step["operation"] for step in self.steps}


class Perform(Protocol):
    """Does what operations of one type do."""

    async def __call__(self, options: Mapping[str, Any], run: Run) -> Any:
        """The result of an operation with expanded options. Raises ActaError, ErrorGroup or Rejected."""


Performers = Mapping[str, Perform]
Around = Callable[["Operation", "Run", Callable[[], Awaitable[None]]], Awaitable[None]]
"""Does an operation of a run by calling what it is given, and what belongs to it before and after."""


def begin(flow: Flow, trigger: Any, caller: Caller | None, environment: Mapping[str, Any]) -> Run:
    """A run at its beginning."""
    data = {
        "$trigger": trigger,
        "$last": trigger,
        "$accountability": accountability(caller),
        "$env": dict(environment),
    }
    return Run(flow, data, caller, flow.first)


def accountability(caller: Caller | None) -> dict[str, Any] | None:
    """A caller as templates see it."""
    if caller is None:
        return None
    found: dict[str, Any] = {
        "role": _text(caller.role),
        "user": _text(caller.user),
        "roles": [str(role) for role in caller.roles],
        "admin": caller.admin,
        "app": caller.app,
        "ip": caller.ip,
        "userAgent": caller.user_agent,
    }
    if caller.origin is not None:
        found["origin"] = caller.origin
    return found


def _text(value: object) -> str | None:
    return None if value is None else str(value)


async def proceed(run: Run, performers: Performers, around: Around | None = None) -> Run:
    """Execute what is left of a run, each operation ``around``.

    A link back to an operation that was executed already ends the run as failed.
    """
    while run.next is not None:
        operation = run.flow.operations.get(run.next)
        if operation is None:
            run.astray, run.next = f"it leads to {run.next}, which is no operation of it", None
            break
        if operation.id in run.done:
            run.astray = f"it leads back to {operation.key}, which it has executed"
            run.error, run.next = UnprocessableContent(f"The flow leads back to {operation.key}"), None
            break
        execute = partial(_execute, operation, run, performers)
        await (execute() if around is None else around(operation, run, execute))
    return run


async def _execute(operation: Operation, run: Run, performers: Performers) -> None:
    perform = performers.get(operation.type)
    options: Any = operation.options
    run.error, result, status = None, None, "resolve"
    if perform is None:
        status, following = "unknown", None
    else:
        try:
            options = expand(operation.options, run.data)
            result = await perform(options, run)
            orjson.dumps(result)
            following = operation.resolve
        except Rejected as rejected:
            result, status, following = rejected.value, "reject", operation.reject
            run.error = rejected
        except (ActaError, ErrorGroup) as error:
            result, status, following = failure(error), "reject", operation.reject
            run.error = error
            if isinstance(error, ActaError):
                run.messages[operation.key] = error.message
        except (TypeError, ValueError) as error:
            # Options of a kind that the operation can't use, or a result that is no JSON.
            result, status, following = {}, "reject", operation.reject
            run.error = error
    run.data[operation.key] = run.data["$last"] = result
    run.steps.append({"operation": operation.id, "key": operation.key, "status": status, "options": options})
    run.next = following


def failure(error: ActaError | ErrorGroup) -> Any:
    """An error as the data chain holds it; several validations stay several."""
    if isinstance(error, ErrorGroup):
        return [failure(member) for member in error.errors]
    return {
        "name": "DirectusError",
        "extensions": error.extensions,
        "code": error.code,
        "status": error.status,
    }


def told(run: Run) -> dict[str, Any]:
    """The data of a run as it is written down: errors in it with their messages."""
    found = dict(run.data)
    for key, message in run.messages.items():
        error = run.data.get(key)
        if isinstance(error, dict) and error.get("name") == "DirectusError":
            found[key] = {**error, "message": message}
            if run.data["$last"] is error:
                found["$last"] = found[key]
    return found


def returned(run: Run, wanted: Any) -> Any:
    """What a run gives back: ``$last``, ``$all`` or a path; None for what is missing."""
    if wanted == "$all":
        return run.data
    if not isinstance(wanted, str) or not wanted:
        return None
    found = resolve(wanted, run.data)
    return None if found is MISSING else found


def raised(run: Run) -> ActaError | ErrorGroup:
    """The error that a failed run answers with."""
    error = run.error
    if isinstance(error, ActaError | ErrorGroup):
        return error
    # A value that is no error: full-access callers see what it was.
    if isinstance(error, Rejected) and run.caller is not None and run.caller.admin:
        return InternalError(_words(error.value))
    return InternalError()


def _words(value: Any) -> str:
    text = value.get("message") if isinstance(value, Mapping) else value
    return text if isinstance(text, str) and text else orjson.dumps(value, default=str).decode()
