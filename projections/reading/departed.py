"""Items that are gone, read as if they were there: which of them might a caller have seen?

The plan is that of a list with all its rights and filters; its first row comes from states of the log
instead of the table. Related rows are those of now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from domain.query.plan import ReadPlan, Row
from projections.reading.compiler import compile_plan
from projections.reading.compose import Piece, name, numbered, word
from projections.reading.expressions import Expressions
from projections.reading.statement import Statement


class _OnStates(Expressions):
    """Expressions that find the plan's first row among given states."""

    def __init__(self, root: Row, states: str) -> None:
        super().__init__()
        self._root = root
        self._states = states

    def table(self, row: Row) -> Piece:
        """A table under its row's alias."""
        if row.number != self._root.number:
            return super().table(row)
        whole = name(row.schema, row.table)
        alias = numbered("t", row.number)
        return word(
            "jsonb_populate_recordset(NULL::", whole, ", ", self.text(self._states), "::jsonb) ", alias
        )


def departed(plan: ReadPlan, states: Sequence[Mapping[str, Any]], version: int) -> Statement:
    """The statement of a list's plan over states: members are column names with JSON values."""
    text = orjson.dumps(list(states), default=str).decode()
    return compile_plan(plan, version, expressions=_OnStates(plan.page.row, text))
