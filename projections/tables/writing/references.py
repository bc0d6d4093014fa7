"""Which foreign keys make the database change or delete rows by itself when a row goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domain.model import Collection, Model

_ACTING = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key that acts on deletion: ``columns`` of ``child`` refer to ``targets`` of the row."""

    child: str
    columns: tuple[str, ...]
    targets: tuple[str, ...]
    cascades: bool


def references_of(model: Model) -> Mapping[str, tuple[Reference, ...]]:
    """The acting foreign keys by the collection they refer to."""
    names = {(found.schema, found.table): name for name, found in model.collections.items() if found.table}
    acting: dict[str, list[Reference]] = {}
    for name, collection in model.collections.items():
        for target, reference in _of(name, collection):
            if target in names:
                acting.setdefault(names[target], []).append(reference)
    return {name: tuple(found) for name, found in acting.items()}


def _of(name: str, collection: Collection) -> Iterator[tuple[tuple[str, str], Reference]]:
    if not collection.writable:
        return
    for column in collection.columns.values():
        key = column.foreign_key
        if key is not None and key.on_delete in _ACTING:
            reference = Reference(name, (column.name,), (key.column,), key.on_delete == "CASCADE")
            yield (key.schema, key.table), reference
    for composite in collection.composite_keys:
        if composite.on_delete in _ACTING:
            cascades = composite.on_delete == "CASCADE"
            reference = Reference(name, composite.columns, composite.targets, cascades)
            yield (composite.schema, composite.table), reference
