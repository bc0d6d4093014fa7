"""Row rules of a caller as a condition on the row that is to be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import sql


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
