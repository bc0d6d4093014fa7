"""A request to change a field, decided: which parts of the column differ from what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.errors import InvalidPayload
from domain.model.drafts import Default, declared_type, default_of
from domain.model.exact import Types, exact_default, exact_type
from domain.model.schema import Collection, Field
from domain.model.types import ALIAS_SPECIALS, TYPES, ColumnType, default_value
from domain.model.wire import column as wire_column

_LENGTHS: Mapping[str, tuple[str, ...]] = {
    "string": ("max_length",),
    "decimal": ("numeric_precision", "numeric_scale"),
}


@dataclass(frozen=True, slots=True)
class ColumnChanges:
    """What is to be altered; None (``default_changed`` False) leaves it.

    ``keep_default`` is a default that has to be set again after a change of the type.
    """

    type: ColumnType | None = None
    keep_default: Default | None = None
    default_changed: bool = False
    default: Default | None = None
    nullable: bool | None = None
    unique: bool | None = None
    indexed: bool | None = None

    @property
    def nothing(self) -> bool:
        """Whether the column stays as it is."""
        return self == ColumnChanges()


def column_changes(
    owner: Collection, entry: Field, body: Mapping[str, Any], types: Types | None = None
) -> ColumnChanges:
    """What a body of ``PATCH /fields/:collection/:field`` changes about the column.

    Nothing does without ``schema``; its members are laid over the column as it is. With ``types`` the body is
    a snapshot's field, which describes the column whole.

    Raises:
        InvalidPayload: alias to column or back, an unknown type, a primary key that would change.
    """
    kind = body.get("type")
    if kind is not None and (not isinstance(kind, str) or kind not in TYPES):
        raise InvalidPayload(f'"type" must be one of [{", ".join(sorted(TYPES))}, null]')
    schema = body.get("schema")
    if schema is not None and not isinstance(schema, Mapping):
        raise InvalidPayload('"schema" must be of type object')
    _same_nature(entry, kind, schema)
    if schema is None or entry.column is None:
        return ColumnChanges()
    if types is None:
        return _differences(owner, entry, kind, schema)
    return _exact_differences(owner, entry, body, types)


def _same_nature(entry: Field, kind: str | None, schema: Mapping[str, Any] | None) -> None:
    if entry.column is None:
        if schema is not None or (kind is not None and kind not in ALIAS_SPECIALS):
            raise InvalidPayload(f'"{entry.name}" has no column, and can\'t be given one')
    elif kind in ALIAS_SPECIALS:
        raise InvalidPayload(f'"{entry.name}" has a column, and can\'t become an alias')


def _differences(
    owner: Collection, entry: Field, kind: str | None, schema: Mapping[str, Any]
) -> ColumnChanges:
    column = entry.column
    assert column is not None
    current = wire_column(column, entry, owner)
    if all(current.get(name) == value for name, value in schema.items() if name in current) and kind in (
        None,
        entry.schema_type,
    ):
        return ColumnChanges()
    declared = _type_change(entry, kind or entry.schema_type, current, schema)
    default = default_of(kind or entry.schema_type, schema.get("default_value"))
    return _changes(entry, kind or entry.schema_type, schema, current, declared, default)


def _exact_differences(
    owner: Collection, entry: Field, body: Mapping[str, Any], types: Types
) -> ColumnChanges:
    assert entry.column is not None
    current = wire_column(entry.column, entry, owner)
    kind, schema = body.get("type") or entry.schema_type, body["schema"]
    if schema.get("has_auto_increment"):
        # The default of a numbered key belongs to the database the snapshot was taken of.
        schema = {**schema, "default_value": current["default_value"]}
    declared = exact_type(kind, schema, (body.get("meta") or {}).get("special"), types)
    if declared is None:
        declared = _type_change(entry, kind, current, schema)
    elif declared == exact_type(entry.schema_type, current, entry.special, types):
        declared = None
    default = exact_default(kind, schema.get("default_value"))
    return _changes(entry, kind, schema, current, declared, default)


def _changes(
    entry: Field,
    kind: str,
    schema: Mapping[str, Any],
    current: Mapping[str, Any],
    declared: ColumnType | None,
    default: Default | None,
) -> ColumnChanges:
    changed = "default_value" in schema and schema["default_value"] != current["default_value"]
    changes = ColumnChanges(
        type=declared,
        keep_default=_kept_default(entry, kind) if declared and not changed else None,
        default_changed=changed,
        default=default if changed else None,
        nullable=_flag(schema, current, "is_nullable"),
        unique=_flag(schema, current, "is_unique"),
        indexed=_flag(schema, current, "is_indexed"),
    )
    if entry.column is not None and entry.column.primary_key:
        _check_key(entry, changes)
    return changes


def _type_change(
    entry: Field, kind: str, current: Mapping[str, Any], schema: Mapping[str, Any]
) -> ColumnType | None:
    same = kind == entry.schema_type
    lengths = _LENGTHS.get(kind, ())
    if same:
        if all(name not in schema or schema[name] == current[name] for name in lengths):
            return None
        merged = {name: schema.get(name, current[name]) for name in lengths}
    else:
        merged = {name: schema[name] for name in lengths if schema.get(name) is not None}
    declared = declared_type(kind, merged)
    if declared is None:
        raise InvalidPayload(f'"{entry.name}" can\'t become "{kind}"')
    before = declared_type(entry.schema_type, current) if entry.schema_type in TYPES else None
    return None if declared == before and entry.schema_type != "unknown" else declared


def _kept_default(entry: Field, kind: str) -> Default | None:
    column = entry.column
    if column is None or column.default is None or column.default.startswith("nextval("):
        return None
    return exact_default(kind, default_value(column.default, entry.schema_type))


def _flag(schema: Mapping[str, Any], current: Mapping[str, Any], name: str) -> bool | None:
    value = schema.get(name)
    if value is None or bool(value) == current[name]:
        return None
    return bool(value)


def _check_key(entry: Field, changes: ColumnChanges) -> None:
    if changes.nullable:
        raise InvalidPayload("The primary key can't be null")
    if not changes.nothing:
        raise InvalidPayload(f'"{entry.name}" is the primary key: its column can\'t be changed')


def check_system_change(body: Mapping[str, Any]) -> None:
    """Of a built-in field only the index may be changed.

    Raises:
        InvalidPayload: for anything else.
    """
    schema = body.get("schema")
    others = [name for name in body if name not in ("collection", "field", "schema")]
    if others or not isinstance(schema, Mapping) or list(schema) != ["is_indexed"]:
        raise InvalidPayload('Only "schema.is_indexed" may be modified for system fields')
