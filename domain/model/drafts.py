"""Requests for new collections, fields and relations, parsed without looking at what is there.

A draft is complete: whatever the contract fills in (a primary key, positions, a special) stands in it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from domain.errors import InvalidPayload
from domain.model.metadata_rows import COLLECTION_META, FIELD_META, RELATION_META, row_values
from domain.model.naming import check_collection_name, check_field_name
from domain.model.types import ALIAS_SPECIALS, TYPES, ColumnType, column_type

MOST = 2**31 - 1
"""The largest number that PostgreSQL reads in a type; which ones it then allows, it says itself."""
NO_LENGTH = -5
"""What the wire shows as the length of a text that has none."""

ReferenceAction = Literal["NO ACTION", "SET NULL", "SET DEFAULT", "CASCADE", "RESTRICT"]
ACTIONS: tuple[ReferenceAction, ...] = ("NO ACTION", "SET NULL", "SET DEFAULT", "CASCADE", "RESTRICT")

_FIELD_MEMBERS = ("collection", "field", "type", "schema", "meta")
_RELATION_MEMBERS = ("collection", "field", "related_collection", "schema", "meta")


@dataclass(frozen=True, slots=True)
class Default:
    """A column's default: the text of a literal, one of the few expressions that may be asked for, or (of
    snapshots only) the next number of the sequence called ``text``.
    """

    text: str
    expression: bool = False
    sequence: bool = False


@dataclass(frozen=True, slots=True)
class ColumnDraft:
    """A column to be added. ``identity``, ``owns`` (its default's sequence) and ``generation`` come of
    snapshots only."""

    name: str
    type: ColumnType
    nullable: bool = True
    default: Default | None = None
    primary_key: bool = False
    unique: bool = False
    indexed: bool = False
    identity: bool = False
    owns: bool = False
    generation: str | None = None


@dataclass(frozen=True, slots=True)
class FieldDraft:
    """A field to be added: a column, a metadata row (``meta`` not None; ``sort`` may be unset), or both.

    An ``exact`` one, of a snapshot, is given no position that it does not have.
    """

    name: str
    type: str | None
    column: ColumnDraft | None
    meta: Mapping[str, Any] | None
    exact: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing would be made."""
        return self.column is None and self.meta is None


@dataclass(frozen=True, slots=True)
class CollectionDraft:
    """A collection to be added: a table (``fields`` not None), a metadata row, both, or nothing.

    ``primary_key`` are the columns of a key of several; a single column is flagged itself. ``checks`` are
    expressions by the names of their constraints.
    """

    name: str
    fields: tuple[FieldDraft, ...] | None
    meta: Mapping[str, Any] | None
    primary_key: tuple[str, ...] = ()
    checks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RelationDraft:
    """A relation to be added; ``related`` None means any-to-one, which never has a constraint.

    ``name`` is that of the constraint, None for the conventional one.
    """

    collection: str
    field: str
    related: str | None
    on_update: ReferenceAction
    on_delete: ReferenceAction
    meta: Mapping[str, Any]
    constraint: bool = True
    name: str | None = None

    def without_constraint(self) -> RelationDraft:
        """The same relation, enforced by nothing in the database."""
        return replace(self, constraint=False)


def collection_draft(body: Any) -> CollectionDraft:
    """What a body of ``POST /collections`` asks for.

    Raises:
        InvalidPayload: for a bad name, a bad type or a member of a wrong kind.
    """
    if not isinstance(body, Mapping):
        raise InvalidPayload('"value" must be of type object')
    name = check_collection_name(body.get("collection"))
    entries = body.get("fields")
    if entries is not None and not isinstance(entries, list):
        raise InvalidPayload('"fields" must be an array')
    meta = body.get("meta")
    values = row_values(meta if isinstance(meta, Mapping) else {}, COLLECTION_META) if meta else None
    if isinstance(meta, Mapping) and values is None:
        values = {}
    if body.get("schema") in (None, False):
        return CollectionDraft(name, None, values)
    return CollectionDraft(name, _table_fields(entries or []), values)


def field_draft(body: Any, *, strict: bool = True) -> FieldDraft:
    """What a body of ``POST /fields/:collection`` or (not ``strict``) an entry of a new collection asks for.

    Raises:
        InvalidPayload: for unknown members, a bad name, a bad type or a member of a wrong kind.
    """
    if not isinstance(body, Mapping):
        raise InvalidPayload('"value" must be of type object')
    if strict:
        _only(body, _FIELD_MEMBERS)
    name = check_field_name(body.get("field"))
    kind = body.get("type")
    if kind is not None and (not isinstance(kind, str) or kind not in TYPES):
        raise InvalidPayload(f'"type" must be one of [{", ".join(sorted(TYPES))}, null]')
    schema = body.get("schema")
    if schema is not None and not isinstance(schema, Mapping):
        raise InvalidPayload('"schema" must be of type object')
    column = None
    if kind and kind not in ALIAS_SPECIALS:
        column = column_draft(name, kind, schema or {})
    return FieldDraft(name, kind, column, _field_meta(body.get("meta"), kind))


def column_draft(name: str, kind: str, schema: Mapping[str, Any]) -> ColumnDraft | None:
    """The column for a field of a wire type; None for types without one.

    Raises:
        InvalidPayload: for lengths that are no numbers.
    """
    auto = schema.get("has_auto_increment") is True
    declared = declared_type(kind, schema, auto_increment=auto)
    if declared is None:
        return None
    primary = auto or schema.get("is_primary_key") is True
    return ColumnDraft(
        name=name,
        type=declared,
        nullable=not primary and schema.get("is_nullable") is not False,
        default=None if auto else default_of(kind, schema.get("default_value")),
        primary_key=primary,
        unique=bool(schema.get("is_unique")) and not primary,
        indexed=bool(schema.get("is_indexed")) and not primary,
    )


def declared_type(kind: str, schema: Mapping[str, Any], *, auto_increment: bool = False) -> ColumnType | None:
    """The column type for a wire type and the lengths of a request.

    Raises:
        InvalidPayload: for lengths that are no numbers.
    """
    if kind == "string" and schema.get("max_length") == NO_LENGTH:
        return ColumnType("varchar")
    return column_type(
        kind,
        max_length=_whole(schema, "max_length", 1),
        precision=_whole(schema, "numeric_precision", 1),
        scale=_whole(schema, "numeric_scale", 0),
        auto_increment=auto_increment,
    )


def default_of(kind: str, value: Any) -> Default | None:
    """A column's default for a request's ``default_value``; None for none."""
    if value is None:
        return None
    if isinstance(value, str):
        lowered = value.lower().strip()
        if lowered in ("now()", "current_timestamp"):
            return Default("CURRENT_TIMESTAMP", expression=True)
        if lowered == "gen_random_uuid()":
            return Default("gen_random_uuid()", expression=True)
        inner = lowered.removeprefix("current_timestamp(").removesuffix(")")
        if lowered == f"current_timestamp({inner})" and inner in set("0123456"):
            return Default(f"CURRENT_TIMESTAMP({inner})", expression=True)
        return Default(value)
    if isinstance(value, bool):
        return Default("true" if value else "false")
    if isinstance(value, (dict, list)) or kind == "json":
        return Default(_json(value))
    return Default(str(value))


def relation_draft(body: Any) -> RelationDraft:
    """What a body of ``POST /relations`` asks for.

    Raises:
        InvalidPayload: for missing or unknown members, or an unknown action.
    """
    if not isinstance(body, Mapping):
        raise InvalidPayload('"value" must be of type object')
    for name in ("collection", "field"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise InvalidPayload(f'"{name}" is required')
    _only(body, _RELATION_MEMBERS)
    related = body.get("related_collection")
    if related is not None and not isinstance(related, str):
        raise InvalidPayload('"related_collection" must be a string')
    on_update, on_delete = reference_actions(body.get("schema"))
    meta = body.get("meta")
    values = row_values(meta if isinstance(meta, Mapping) else {}, RELATION_META)
    return RelationDraft(body["collection"], body["field"], related, on_update, on_delete, values)


def reference_actions(schema: Any) -> tuple[ReferenceAction, ReferenceAction]:
    """The actions of a foreign key, ``(on_update, on_delete)``.

    Raises:
        InvalidPayload: for an unknown action.
    """
    if schema is None:
        schema = {}
    if not isinstance(schema, Mapping):
        raise InvalidPayload('"schema" must be of type object')
    return _action(schema, "on_update"), _action(schema, "on_delete")


def _action(schema: Mapping[str, Any], name: str) -> ReferenceAction:
    value = schema.get(name) or "NO ACTION"
    for action in ACTIONS:
        if isinstance(value, str) and value.upper() == action:
            return action
    raise InvalidPayload(f'"{name}" must be one of [{", ".join(ACTIONS)}]')


def _table_fields(entries: list[Any]) -> tuple[FieldDraft, ...]:
    drafts = [field_draft(entry, strict=False) for entry in entries]
    keys = [index for index, draft in enumerate(drafts) if draft.column and draft.column.primary_key]
    if not any(_flagged(entry) for entry in entries):
        drafts.insert(0, _automatic_key())
    for index in keys[1:]:
        column = drafts[index].column
        if column is not None:
            drafts[index] = replace(drafts[index], column=replace(column, primary_key=False))
    seen: set[str] = set()
    for draft in drafts:
        if draft.name in seen:
            raise InvalidPayload(f'Field "{draft.name}" is there twice')
        seen.add(draft.name)
    return tuple(_sorted(drafts))


def _flagged(entry: Any) -> bool:
    schema = entry.get("schema")
    return isinstance(schema, Mapping) and (
        schema.get("is_primary_key") is True or schema.get("has_auto_increment") is True
    )


def _automatic_key() -> FieldDraft:
    schema = {"is_primary_key": True, "has_auto_increment": True}
    meta = {"hidden": True, "interface": "numeric", "readonly": True}
    return FieldDraft("id", "integer", column_draft("id", "integer", schema), meta)


def _sorted(drafts: list[FieldDraft]) -> list[FieldDraft]:
    """Positions for fields with metadata that name none, counted per group."""
    counts: Counter[Any] = Counter()
    found = []
    for draft in drafts:
        if draft.meta is not None:
            group = draft.meta.get("group")
            counts[group] += 1
            if draft.meta.get("sort") is None:
                meta = {"sort": counts[group], **_without(draft.meta, "sort")}
                found.append(replace(draft, meta=meta))
                continue
        found.append(draft)
    return found


def _field_meta(meta: Any, kind: str | None) -> dict[str, Any] | None:
    absent = meta is None or meta is False
    if absent and kind != "json":
        return None
    values = row_values(meta if isinstance(meta, Mapping) else {}, FIELD_META)
    if kind == "json":
        special = str(values.get("special") or "").split(",") if values.get("special") else []
        if "cast-json" not in special:
            values["special"] = ",".join([*special, "cast-json"])
    return values


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


def _only(body: Mapping[str, Any], members: tuple[str, ...]) -> None:
    for name in body:
        if name not in members:
            raise InvalidPayload(f'"{name}" is not allowed')


def _whole(schema: Mapping[str, Any], name: str, least: int) -> int | None:
    value = schema.get(name)
    if value is None or value == "":
        return None
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidPayload(f'"{name}" must be a number') from None
    if not least <= number <= MOST:
        raise InvalidPayload(f'"{name}" must be from {least} to {MOST}')
    return number


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
