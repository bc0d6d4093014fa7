"""Which events a flow listens to, by the names of the contract."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from domain.flows.model import Flow

Action = Literal["create", "update", "delete", "query", "read"]
Kind = Literal["filter", "action"]
_SCOPED = frozenset({"items.create", "items.update", "items.delete"})
_PREFIX = "directus_"


def event_name(collection: str, action: str) -> str:
    """The concrete name of an event: ``art.items.create``, ``roles.create``."""
    if collection.startswith(_PREFIX):
        return f"{collection.removeprefix(_PREFIX)}.{action}"
    return f"{collection}.items.{action}"


def names_of_event(collection: str, action: str) -> tuple[str, ...]:
    """The names that listeners of an event may have given: the generic one first, which items of the system
    have none of."""
    concrete = event_name(collection, action)
    return (concrete,) if collection.startswith(_PREFIX) else (f"items.{action}", concrete)


def names_of(flow: Flow, kind: Kind) -> set[str]:
    """The names of the events that set a flow off; ``items.*`` counts for its collections only."""
    options = flow.options
    if flow.trigger != "event" or options.get("type") != kind:
        return set()
    found: set[str] = set()
    for scope in _texts(options.get("scope")):
        if scope in _SCOPED:
            action = scope.rpartition(".")[2]
            found |= {event_name(collection, action) for collection in _texts(options.get("collections"))}
        else:
            found.add(scope)
    return found


def listening(flows: Iterable[Flow], kind: Kind) -> dict[str, list[Flow]]:
    """The flows by the names of the events that set them off, in their order."""
    found: dict[str, list[Flow]] = {}
    for flow in flows:
        for name in names_of(flow, kind):
            found.setdefault(name, []).append(flow)
    return found


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []
