"""Reading as of a moment: what stands in the place of the tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from domain.query.operands import Value


@dataclass(frozen=True, slots=True)
class Row:
    """One appearance of a table; ``number`` tells appearances apart."""

    number: int
    schema: str
    table: str


@dataclass(frozen=True, slots=True)
class PastTable:
    """A collection's place, and the number of its history; 0 where it has to be folded from the log."""

    schema: str
    table: str
    collection: str
    history: int = 0


@dataclass(frozen=True, slots=True)
class Past:
    """A cut through the log, and where the rows of that moment are found.

    ``item`` is the key of the one item that the plan's first row stands for, when there is one.
    """

    position: Value
    upto: Value
    later: Value
    tables: tuple[PastTable, ...]
    root: int = -1
    item: Value | None = None

    def of(self, schema: str, table: str) -> PastTable | None:
        """What stands in the place of a table; None where the log tells nothing of it."""
        return next((one for one in self.tables if (one.schema, one.table) == (schema, table)), None)


def places(node: Any) -> Iterator[tuple[int, str, str]]:
    """Number, schema and table of every row in a plan."""
    if isinstance(node, tuple):
        for member in node:
            yield from places(member)
    elif is_dataclass(node) and not isinstance(node, type):
        if isinstance(node, Row):
            yield node.number, node.schema, node.table
            return
        for field in fields(node):
            yield from places(getattr(node, field.name))
