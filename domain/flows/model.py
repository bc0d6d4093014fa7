"""Flows and operations as immutable values, made of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One step: what it does with which options, and what comes after success and failure (ids)."""

    id: str
    key: str
    type: str
    options: Mapping[str, Any]
    resolve: str | None
    reject: str | None


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow with its operations by id.

    Attributes:
        first: Where it starts, None for an empty one.
        since: The event that made it active: what happened before is none of its business.
    """

    id: str
    name: str
    trigger: str | None
    accountability: str | None
    options: Mapping[str, Any]
    first: str | None
    operations: Mapping[str, Operation] = field(default_factory=dict)
    since: int = 0


def flows_of(flows: Iterable[Row], operations: Iterable[Row]) -> dict[str, Flow]:
    """The flows of rows by id, with the operations that belong to each."""
    by_flow: dict[str, dict[str, Operation]] = {}
    for row in operations:
        operation = Operation(
            str(row["id"]),
            str(row["key"]),
            str(row["type"]),
            _options(row["options"]),
            _text(row["resolve"]),
            _text(row["reject"]),
        )
        by_flow.setdefault(str(row["flow"]), {})[operation.id] = operation
    return {
        str(row["id"]): Flow(
            str(row["id"]),
            str(row["name"]),
            row["trigger"],
            row["accountability"],
            _options(row["options"]),
            _text(row["operation"]),
            by_flow.get(str(row["id"]), {}),
            row.get("since") or 0,
        )
        for row in flows
    }


def _options(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
