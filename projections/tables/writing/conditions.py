"""Row rules of a caller as a condition on the row that is to be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from domain.access.command import Command
from domain.access.rights import Rule
from domain.errors import Forbidden
from domain.items.shape import Shape


@dataclass(frozen=True)
class Condition:
    """A predicate on the table's alias ``t``, with its values in the order of its placeholders.

    Equal conditions have equal ``text``, whatever their values, so statements are kept by it.
    """

    clause: sql.Composable
    values: tuple[Any, ...]
    text: str

    def __eq__(self, other: object) -> bool:
        """By the text alone."""
        return isinstance(other, Condition) and other.text == self.text

    def __hash__(self) -> int:
        """By the text alone."""
        return hash(self.text)


def condition_of(shape: Shape, command: Command, groups: Sequence[Sequence[Rule]] | None) -> Condition | None:
    """The condition that rows meet at least one rule of each group; None when there is nothing to meet."""
    if groups is None:
        return None
    raise Forbidden.collection(shape.name)
