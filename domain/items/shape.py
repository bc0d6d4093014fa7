"""What a collection asks of payloads, worked out once per model: converters, required fields, specials, keys.

A shape is made on first use and kept as long as its model; making a row of a payload is then a loop over the
payload's own members.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from domain.errors import Forbidden
from domain.items.values import Converter, Refused, converter_of
from domain.lru import Lru
from domain.model import Collection, Column, Field, Model, Side, join_key, split_key

RECIPES: Final = 200
_ANYTHING: Final = frozenset({str, int, float, bool, list, dict})
_GENERATING_SPECIALS: Final = frozenset(
    {"uuid", "date-created", "date-updated", "user-created", "user-updated", "role-created", "role-updated"}
)
_STRUCTURES: Final = frozenset({list, dict, int, bool})
# Per base type, the JSON types whose values the column's own JSON repeats as they are.
_REPEATED: Final[Mapping[str, frozenset[type]]] = {
    "smallint": frozenset({int}),
    "integer": frozenset({int}),
    "bigint": frozenset({int}),
    "double precision": frozenset({int, float}),
    "boolean": frozenset({bool}),
    "text": frozenset({str}),
    "character varying": frozenset({str}),
    "name": frozenset({str}),
    "json": _STRUCTURES,
    "jsonb": _STRUCTURES,
}


@dataclass(frozen=True)
class WritableField:
    """A field with a column, ready to take values.

    ``repeats`` are the types of JSON values that come out of the log as they went in; of others the log keeps
    the submitted form too.
    """

    field: Field
    column: Column
    convert: Converter
    repeats: frozenset[type]
    hashed: bool
    sealed: bool
    writable: bool


@dataclass(frozen=True)
class Shape:
    """The rules of one collection at one version of the model."""

    model: Model
    collection: Collection

    @property
    def name(self) -> str:
        """The collection's name."""
        return self.collection.name

    @cached_property
    def writables(self) -> Mapping[str, WritableField]:
        """The fields that have a column, by name."""
        return {
            name: _writable(entry, entry.column)
            for name, entry in self.collection.item_fields.items()
            if entry.column is not None
        }

    @cached_property
    def sides(self) -> Mapping[str, Side]:
        """The relational fields, by name."""
        found = ((name, self.model.side(self.name, name)) for name in self.collection.item_fields)
        return {name: side for name, side in found if side is not None}

    @cached_property
    def key(self) -> tuple[WritableField, ...]:
        """The fields of the primary key, in key order."""
        return tuple(self.writables[name] for name in self.collection.primary_key)

    @cached_property
    def sequence(self) -> str | None:
        """The sequence behind the primary key, if one column and one sequence make it."""
        return self.key[0].column.sequence if len(self.key) == 1 else None

    @cached_property
    def recipes(self) -> Lru[Hashable, Any]:
        """How payloads of the same members become rows; `domain.items.rows` keeps it here."""
        return Lru(RECIPES)

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Fields that a create must name, because neither default nor special nor null can stand in."""
        return tuple(name for name in self.not_null if not self.writables[name].column.has_default)

    @cached_property
    def not_null(self) -> frozenset[str]:
        """Fields that no write may set to null."""
        return frozenset(
            name
            for name, entry in self.writables.items()
            if not entry.column.nullable
            and not entry.column.generated
            and not _GENERATING_SPECIALS.intersection(entry.field.special)
        )

    @cached_property
    def required_names(self) -> frozenset[str]:
        """The required fields."""
        return frozenset(self.required)

    @cached_property
    def ordered_required(self) -> tuple[str, ...]:
        """The required fields in the order of the collection."""
        return tuple(name for name in self.writables if name in self.required_names)

    @cached_property
    def validations(self) -> tuple[Mapping[str, Any], ...]:
        """The fields' own validation rules, in the order of the collection."""
        found = (entry.meta.get("validation") for entry in self.collection.item_fields.values() if entry.meta)
        return tuple(rule for rule in found if rule)

    @cached_property
    def on_create(self) -> tuple[tuple[str, str], ...]:
        """Fields that a create fills by itself, with the special that says how."""
        return self._special("uuid", "date-created", "user-created", "role-created")

    @cached_property
    def on_update(self) -> tuple[tuple[str, str], ...]:
        """Fields that every update fills by itself, with the special that says how."""
        return self._special("date-updated", "user-updated", "role-updated")

    @cached_property
    def hashed(self) -> tuple[str, ...]:
        """Fields whose values are stored as a hash."""
        return tuple(name for name, entry in self.writables.items() if entry.hashed)

    @cached_property
    def concealed(self) -> frozenset[str]:
        """Fields whose values no answer shows."""
        return frozenset(name for name, entry in self.collection.item_fields.items() if entry.concealed)

    @cached_property
    def sealed(self) -> tuple[str, ...]:
        """Fields whose values are stored encrypted."""
        return tuple(name for name, entry in self.writables.items() if entry.sealed)

    @cached_property
    def never_shown(self) -> frozenset[str]:
        """Fields of which clients know the mask alone: one that comes back is what was read, no new value."""
        return frozenset(
            name
            for name, entry in self.writables.items()
            if entry.sealed or (entry.hashed and entry.field.concealed)
        )

    def key_texts(self, key: str) -> tuple[str, ...]:
        """The texts of the key's columns.

        Raises:
            Forbidden: for a text that can't be a key here; whether an item is there is never told.
        """
        parts = split_key(key, len(self.key))
        return tuple(_key_text(entry, part) for entry, part in zip(self.key, parts, strict=True))

    def key_in(self, payload: Mapping[str, Any]) -> str | None:
        """The key a payload names, in canonical form; None when it names none, or not all of it.

        Raises:
            Forbidden: for a value that can't be a key here.
        """
        parts: list[str] = []
        for entry in self.key:
            value = payload.get(entry.field.name)
            if value is None:
                return None
            parts.append(_key_text(entry, value))
        return join_key(parts) if parts else None

    def canonical(self, key: str) -> str:
        """The key as the log and the database write it (``007`` is ``7``, UUIDs in lower case).

        Raises:
            Forbidden: for a text that can't be a key here.
        """
        return join_key(self.key_texts(key))

    def _special(self, *wanted: str) -> tuple[tuple[str, str], ...]:
        found: list[tuple[str, str]] = []
        for name, entry in self.writables.items():
            special = next((known for known in entry.field.special if known in wanted), None)
            if special is not None and entry.writable:
                found.append((name, special))
        return tuple(found)


def _writable(entry: Field, column: Column) -> WritableField:
    hashed = "hash" in entry.special
    sealed = "encrypt" in entry.special and not hashed and column.base_type in ("text", "character varying")
    return WritableField(
        field=entry,
        column=column,
        convert=converter_of(entry),
        # What was hashed or sealed must not stand in the log as it was sent.
        repeats=_ANYTHING if hashed or sealed else _repeated(entry, column),
        hashed=hashed,
        sealed=sealed,
        writable=not column.generated and column.identity != "a",
    )


def _repeated(entry: Field, column: Column) -> frozenset[type]:
    if column.labels:
        return frozenset({str})
    if column.data_type != column.base_type and column.category == "d":
        return frozenset()
    found = _REPEATED.get(column.base_type, frozenset())
    if entry.type in ("csv", "json") and str in found:
        return frozenset({str}) if entry.type == "csv" else frozenset()
    return found


def _key_text(entry: WritableField, value: Any) -> str:
    if isinstance(value, list | dict):
        raise Forbidden()
    try:
        text = entry.convert(value)
    except Refused as refused:
        raise Forbidden() from refused
    if text is None:
        raise Forbidden()
    return text
