"""Where a payload holds secrets: in fields of its items, and of those nested in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from domain.model.schema import Model

Path = tuple[str, ...]
_CHANGES = frozenset({"create", "update", "delete"})


def secrets_in(model: Model, name: str, payload: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The values for secret fields in what a collection's items are given, each with the way to it."""
    collection = model.collections.get(name)
    if isinstance(payload, list):
        for entry in payload:
            yield from secrets_in(model, name, entry, path)
    elif collection is not None and isinstance(payload, Mapping):
        for member, value in payload.items():
            here = (*path, str(member))
            field = collection.fields.get(member)
            if field is not None and field.secret:
                yield here, value
            elif isinstance(value, Mapping | list):
                changes = isinstance(value, Mapping) and not _CHANGES.isdisjoint(value)
                for related in _related(model, name, member):
                    for entry in value.values() if changes and isinstance(value, Mapping) else [value]:
                        yield from secrets_in(model, related, entry, here)


def _related(model: Model, collection: str, field: str) -> Iterator[str]:
    for relation in model.relations:
        if (relation.collection, relation.field) == (collection, field):
            # Of which collection an item of many is, its payload may leave open.
            any_of = relation.meta.one_allowed_collections if relation.any and relation.meta else None
            yield from any_of or ([relation.related] if relation.related else [])
        if (relation.related, relation.one_field) == (collection, field):
            yield relation.collection
