"""The collections being written, each with its rules and statements, kept as long as their model is in
use."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from domain.errors import Forbidden
from domain.items.shape import Shape
from domain.model import Model
from projections.tables.writing.statements import Statements

_MODELS_IN_USE = 3


@dataclass(frozen=True)
class Table:
    """A collection with its payload rules and its statements."""

    shape: Shape
    statements: Statements


class Tables:
    """Tables by model and name. Requests in flight may still use an older model than new ones."""

    def __init__(self) -> None:
        self._models: deque[tuple[Model, dict[str, Table]]] = deque(maxlen=_MODELS_IN_USE)

    def of(self, model: Model, collection: str) -> Table:
        """The table behind a collection.

        Raises:
            Forbidden: for a name that is no collection.
        """
        tables = self._tables(model)
        table = tables.get(collection)
        if table is None:
            found = model.collection(collection)
            if found is None:
                raise Forbidden.collection(collection)
            shape = Shape(model, found)
            table = tables[collection] = Table(shape, Statements(shape))
        return table

    def _tables(self, model: Model) -> dict[str, Table]:
        for known, tables in self._models:
            if known is model:
                return tables
        fresh: dict[str, Table] = {}
        self._models.appendleft((model, fresh))
        return fresh
