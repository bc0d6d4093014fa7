"""The collections being written, each with its rules and statements, kept as long as their model is in
use."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.access.command import Command
from domain.errors import Forbidden
from domain.items.shape import Shape
from domain.model import Model
from domain.query.limits import QueryLimits
from projections.system.guards import GUARDS, Guard
from projections.tables.writing.echo import Echo, echo_of
from projections.tables.writing.references import Reference, references_of
from projections.tables.writing.statements import Statements

_MODELS_IN_USE = 3
_ECHOES = 200


@dataclass(frozen=True)
class Table:
    """A collection with its payload rules and its statements."""

    shape: Shape
    statements: Statements
    _echoes: dict[tuple[str, bool], Echo | None] = field(default_factory=dict)

    def echo(self, command: Command, raw: str, limits: QueryLimits, *, new: bool) -> Echo | None:
        """The answer that a write, of a new row or not, can make itself; None where it has to be read."""
        if not command.rights.admin:
            return None
        key = (raw, new)
        if key not in self._echoes:
            if len(self._echoes) >= _ECHOES:
                self._echoes.pop(next(iter(self._echoes)))
            self._echoes[key] = echo_of(self.shape, command, raw, limits, new=new)
        return self._echoes[key]

    @property
    def guard(self) -> Guard | None:
        """What the system demands of writes to one of its collections, beyond their fields."""
        return GUARDS.get(self.shape.name) if self.shape.collection.system else None

    @property
    def plain(self) -> bool:
        """Whether one statement holds rows and events, and nothing has to be asked or done beside it."""
        return self.shape.collection.returning and self.guard is None


class Tables:
    """Tables by model and name. Requests in flight may still use an older model than new ones."""

    def __init__(self) -> None:
        self._models: deque[_OfModel] = deque(maxlen=_MODELS_IN_USE)

    def of(self, model: Model, collection: str) -> Table:
        """The table behind a collection.

        Raises:
            Forbidden: for a name that is no collection.
        """
        tables = self._known(model).tables
        table = tables.get(collection)
        if table is None:
            found = model.collection(collection)
            if found is None:
                raise Forbidden.collection(collection)
            shape = Shape(model, found)
            table = tables[collection] = Table(shape, Statements(shape))
        return table

    def references(self, model: Model) -> Mapping[str, tuple[Reference, ...]]:
        """The foreign keys by which the database acts when a row goes, by the collection they refer to."""
        known = self._known(model)
        if known.references is None:
            known.references = references_of(model)
        return known.references

    def _known(self, model: Model) -> _OfModel:
        for known in self._models:
            if known.model is model:
                return known
        fresh = _OfModel(model)
        self._models.appendleft(fresh)
        return fresh


@dataclass
class _OfModel:
    model: Model
    tables: dict[str, Table] = field(default_factory=dict)
    references: Mapping[str, tuple[Reference, ...]] | None = None
