"""The items one command writes, as a tree: what each is asked to become, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from domain.items.nested import Nested, ToMany
from domain.items.rows import Row
from projections.tables.writing.conditions import Condition
from projections.tables.writing.tables import Table

Payload = dict[str, Any]
Intent = Literal["create", "update", "save", "attach", "delete", "keep"]
"""``save`` becomes a create or an update, ``attach`` an update or nothing; ``keep`` is nothing to be done."""


@dataclass(eq=False, slots=True)
class Node:
    """One item. Ranks order the writing: a row is written after the rows it points to. They go in steps of
    two; between two steps stand changes to items that the same command creates.

    ``pointer`` is the foreign key that shall name the parent (None once it does already). ``links`` are own
    foreign keys that shall name other nodes. ``twin`` is the node of the same change to another key: what
    that one's payload asks of other items is done once.
    """

    table: Table
    intent: Intent
    payload: Payload
    key: str | None = None
    rank: int = 0
    path: tuple[str, ...] = ()
    parent: Node | None = None
    pointer: str | None = None
    twin: Node | None = None
    together: Sequence[str] = ()
    given: Payload = field(default_factory=dict)
    asked: Sequence[Nested] = ()
    row: Row | None = None
    condition: Condition | None = None
    links: list[tuple[str, Node]] = field(default_factory=list)
    before: list[Node] = field(default_factory=list)
    after: list[Node] = field(default_factory=list)
    stored: str | None = None
    written: int = 0

    @property
    def name(self) -> str:
        """The item's collection."""
        return self.table.shape.name

    @property
    def key_parts(self) -> tuple[str, ...]:
        """The texts of the key's columns."""
        return self.table.shape.key_texts(self.key or "")


@dataclass(frozen=True, slots=True)
class Detachment:
    """Rows that shall no longer point to a parent: those left out of its set, or those removed by name."""

    parent: Node
    change: ToMany
    keys: tuple[str, ...]


def in_log_order(roots: Sequence[Node]) -> Iterator[Node]:
    """Nodes in the order of their events: what an item points to, then what points to it, the item last."""
    pending: list[tuple[Node, bool]] = [(root, False) for root in reversed(roots)]
    while pending:
        node, visited = pending.pop()
        if visited:
            yield node
        else:
            pending.append((node, True))
            pending += [(child, False) for child in reversed([*node.before, *node.after])]
