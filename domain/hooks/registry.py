"""Which hooks listen to which events.

Names of events have segments with dots between them; in a pattern ``*`` stands for one segment and ``**`` for
any number of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from domain.access.caller import Caller
from domain.lru import Lru

Filter = Callable[[Any, Mapping[str, Any], Caller | None], Awaitable[Any]]
"""Payload, meta, and on whose behalf (None for Acta itself): the payload to go on with."""
Action = Callable[[Mapping[str, Any], Caller | None], Awaitable[None]]
"""Meta, and on whose behalf."""

ACTIONS: Final = "hooks"
"""The follower that tells them of what the log holds."""
_NAMES_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job of the clock; ``id`` is the same in every process of a cluster."""

    id: str
    cron: str
    job: Callable[[], Coroutine[Any, Any, None]]


class Hooks:
    """Hooks in the order in which they were registered; none is added once events are asked for."""

    def __init__(self) -> None:
        self._filters: list[tuple[str, Filter]] = []
        self._actions: list[tuple[str, Action]] = []
        self._known_filters: Lru[str, tuple[Filter, ...]] = Lru(_NAMES_KEPT)
        self._known_actions: Lru[str, tuple[Action, ...]] = Lru(_NAMES_KEPT)
        self.schedules: list[Schedule] = []

    def add_filter(self, pattern: str, hook: Filter) -> None:
        """Ask a hook before something happens."""
        self._filters.append((pattern, hook))

    def add_action(self, pattern: str, hook: Action) -> None:
        """Tell a hook what has happened."""
        self._actions.append((pattern, hook))

    def take(self, others: Hooks) -> None:
        """Add the hooks of another registry."""
        self._filters += others._filters
        self._actions += others._actions
        self.schedules += others.schedules

    @property
    def filtering(self) -> bool:
        """Whether any hook wants to be asked about anything."""
        return bool(self._filters)

    def may_filter(self, action: str) -> bool:
        """Whether any hook may want to be asked about events whose names end with ``action``."""
        return any(pattern.rpartition(".")[2] in (action, "*", "**") for pattern, _ in self._filters)

    @property
    def acting(self) -> bool:
        """Whether any hook wants to be told of anything."""
        return bool(self._actions)

    def filters(self, name: str) -> tuple[Filter, ...]:
        """The hooks to ask about an event."""
        if not self._filters:
            return ()
        found = self._known_filters.get(name)
        if found is None:
            found = tuple(hook for pattern, hook in self._filters if matches(pattern, name))
            self._known_filters.put(name, found)
        return found

    def actions(self, names: Iterable[str]) -> tuple[Action, ...]:
        """The hooks to tell of an event, the listeners of its generic name first."""
        if not self._actions:
            return ()
        return tuple(hook for name in names for hook in self._acting(name))

    async def tell(self, names: Iterable[str], meta: Mapping[str, Any], caller: Caller | None = None) -> None:
        """Tell all hooks of an event, one after the other."""
        for hook in self.actions(names):
            await hook(meta, caller)

    def _acting(self, name: str) -> tuple[Action, ...]:
        found = self._known_actions.get(name)
        if found is None:
            found = tuple(hook for pattern, hook in self._actions if matches(pattern, name))
            self._known_actions.put(name, found)
        return found


def matches(pattern: str, name: str) -> bool:
    """Whether the name of an event fits a pattern."""
    return _fits(pattern.split("."), name.split("."))


def _fits(pattern: list[str], name: list[str]) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "**":
        return any(_fits(pattern[1:], name[start:]) for start in range(len(name) + 1))
    if not name or pattern[0] not in ("*", name[0]):
        return False
    return _fits(pattern[1:], name[1:])
