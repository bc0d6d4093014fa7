"""What an extension registers: hooks at events and at the clock, routes, operations of flows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from croniter import CroniterError, croniter

from domain.access.caller import Caller
from domain.errors import ActaError, ErrorGroup, ExtensionFailed
from domain.flows.running import Perform, Rejected, Run
from domain.hooks.registry import Action, Filter, Hooks, Schedule
from services.extensions.calling import TookTooLong, call, plain
from services.extensions.context import Context

Function = Callable[..., Any]
MOMENTS: Final = (
    "app.before",
    "middlewares.before",
    "middlewares.after",
    "routes.before",
    "routes.custom.before",
    "routes.custom.after",
    "routes.after",
    "app.after",
)
# What a filter calls off by answering false.
_CANCELLED: Final = frozenset({"email.send"})
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "SEARCH", "HEAD")


class ExtensionError(Exception):
    """An extension can't be used; the text says which and why."""


class Registrar:
    """Given to the function of an entry point of ``acta.hooks``."""

    def __init__(self, name: str, context: Context, seconds: float, hooks: Hooks) -> None:
        self._name, self._context, self._seconds, self._hooks = name, context, seconds, hooks
        self.inits: list[tuple[str, Function]] = []
        self._schedules = 0

    def filter(self, event: str, function: Function) -> None:
        """Ask ``function(payload, meta, context)`` before something happens; it gives the payload to go on
        with, None for the one it was given, or raises what refuses it."""
        self._hooks.add_filter(_pattern(event), self._filter(_callable(function)))

    def action(self, event: str, function: Function) -> None:
        """Tell ``function(meta, context)`` what has happened."""
        self._hooks.add_action(_pattern(event), self._action(_callable(function)))

    def init(self, event: str, function: Function) -> None:
        """Call ``function(meta, context)`` while a process starts. It can't wait for anything."""
        if event not in MOMENTS:
            raise ExtensionError(f"there is no moment {event!r}, only {', '.join(MOMENTS)}")
        self.inits.append((event, _callable(function)))

    def schedule(self, cron: str, function: Function) -> None:
        """Call ``function(context)`` at the moments of ``cron``, once in a cluster."""
        try:
            croniter(str(cron), second_at_beginning=True)
        except (CroniterError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise ExtensionError(f"the schedule {cron!r} makes no sense: {error}") from error
        self._schedules += 1
        number = uuid5(NAMESPACE_URL, f"acta:schedule:{self._name}:{self._schedules}:{cron}")
        _callable(function)

        async def job() -> None:
            await self._told(function, self._context, seconds=None)

        self._hooks.schedules.append(Schedule(str(number), str(cron), job))

    def _filter(self, function: Function) -> Filter:
        async def ask(payload: Any, meta: Mapping[str, Any], caller: Caller | None) -> Any:
            context = self._context.called(caller)
            found = await call(
                self._name, context.log, function, payload, dict(meta), context, seconds=self._seconds
            )
            if found is False and meta.get("event") in _CANCELLED:
                return None
            try:
                return _fitting(payload if found is None else found, payload)
            except TypeError as error:
                context.log.error(
                    "extension %s answered rubbish to %s: %s", self._name, meta.get("event"), error
                )
                raise ExtensionFailed(self._name) from error

        return ask

    def _action(self, function: Function) -> Action:
        async def tell(meta: Mapping[str, Any], caller: Caller | None) -> None:
            await self._told(function, dict(meta), self._context.called(caller), seconds=self._seconds)

        return tell

    async def _told(self, function: Function, *arguments: Any, seconds: float | None) -> None:
        """Call what nobody waits for; its errors are told in the log only."""
        try:
            await call(self._name, self._context.log, function, *arguments, seconds=seconds)
        except (ActaError, ErrorGroup) as error:
            if not isinstance(error, ExtensionFailed | TookTooLong):
                self._context.log.error("extension %s: %s", self._name, error)


@dataclass(frozen=True, slots=True)
class Route:
    """A path of an endpoint and what answers it."""

    method: str
    path: str
    function: Function


@dataclass(slots=True)
class Router:
    """Given to the function of an entry point of ``acta.endpoints``: routes below its name."""

    routes: list[Route] = field(default_factory=list)

    def route(self, method: str, path: str, function: Function) -> None:
        """Answer requests with ``function(request, context)``; ``{name}`` in a path is a part of its own."""
        if method.upper() not in METHODS:
            raise ExtensionError(f"{method!r} is no method, only {', '.join(METHODS)}")
        if not path.startswith("/"):
            raise ExtensionError(f"the path {path!r} does not begin with /")
        self.routes.append(Route(method.upper(), path, _callable(function)))

    def get(self, path: str, function: Function) -> None:
        """Answer GET."""
        self.route("GET", path, function)

    def post(self, path: str, function: Function) -> None:
        """Answer POST."""
        self.route("POST", path, function)

    def patch(self, path: str, function: Function) -> None:
        """Answer PATCH."""
        self.route("PATCH", path, function)

    def put(self, path: str, function: Function) -> None:
        """Answer PUT."""
        self.route("PUT", path, function)

    def delete(self, path: str, function: Function) -> None:
        """Answer DELETE."""
        self.route("DELETE", path, function)


def operation(name: str, context: Context, function: Function) -> Perform:
    """The performer of an operation of an entry point of ``acta.operations``; what it raises rejects."""
    _callable(function)

    async def perform(options: Mapping[str, Any], run: Run) -> Any:
        own = context.called(run.caller, data=run.data, flow=run.flow.id)
        try:
            return plain(await call(name, own.log, function, dict(options), own, seconds=None))
        except ExtensionFailed as error:
            cause = error.__cause__
            raise Rejected({"name": type(cause).__name__, "message": str(cause)}) from error
        except TypeError as error:
            raise Rejected({"name": "TypeError", "message": str(error)}) from error

    return perform


def log_of(name: str) -> logging.Logger:
    """The log of an extension."""
    return logging.getLogger(f"acta.extensions.{name}")


def _fitting(found: Any, payload: Any) -> Any:
    for kind, word in ((Mapping, "an object"), (list, "an array")):
        if isinstance(payload, kind) and not isinstance(found, kind):
            raise TypeError(f"{word} is expected, not {type(found).__name__}")
    return plain(found)


def _pattern(event: str) -> str:
    if not all(str(event).split(".")):
        raise ExtensionError(f"{event!r} is no name of an event")
    return event


def _callable(function: Function) -> Function:
    if not callable(function):
        raise ExtensionError(f"{function!r} can't be called")
    return function
