"""Columns as a snapshot describes them: by type, default and sequence, where a request names less.

A request names a wire type, and the contract says which column that makes. A snapshot tells which column was
there; making the same one again is what lets the snapshot of the copy equal the one it came of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from domain.errors import InvalidPayload
from domain.model.drafts import (
    MOST,
    CollectionDraft,
    ColumnDraft,
    Default,
    FieldDraft,
    collection_draft,
    default_of,
    field_draft,
)
from domain.model.expressions import checked_expression
from domain.model.naming import is_name
from domain.model.types import ColumnType, field_type

Types = Mapping[str, str]
"""Names of types as the wire shows them (without length) with the qualified names to declare them by."""

_SIZED = frozenset({"character varying", "character", "bit", "bit varying"})
_SERIALS = frozenset({("integer", "serial"), ("bigint", "bigserial")})
_TEMPORAL = frozenset({"date", "time", "dateTime", "timestamp"})
_SEQUENCE = re.compile(r"nextval\('(?:(\"(?:[^\"]|\"\")+\")|([a-z_][a-z0-9_$]*))'::regclass\)")
# What is left of a default's text before its first cast, and the expression that it was.
_CUT = {
    "date": {"('now'": "('now'::text)::date"},
    "time": {},
    "dateTime": {
        "('now'": "('now'::text)::timestamp without time zone",
        "timezone('utc'": "timezone('utc'::text, now())",
    },
    "timestamp": {
        "('now'": "('now'::text)::timestamp with time zone",
        "timezone('utc'": "timezone('utc'::text, now())",
    },
}
EXPRESSIONS = frozenset(
    {
        "now()",
        "clock_timestamp()",
        "statement_timestamp()",
        "transaction_timestamp()",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "LOCALTIME",
        "LOCALTIMESTAMP",
        *(text for cut in _CUT.values() for text in cut.values()),
    }
)
"""Defaults of dates and times that are made again as they were."""


def exact_type(kind: str, schema: Mapping[str, Any], special: Any, types: Types) -> ColumnType | None:
    """What the column of a snapshot is declared as; None where only the wire type can tell.

    That is so when this database lacks the type, or it does not fit the wire type, which may be edited.
    """
    name = schema.get("data_type")
    if not isinstance(name, str) or name not in types:
        return None
    precision, scale = _number(schema, "numeric_precision"), _number(schema, "numeric_scale")
    if field_type(name, _special(special), precision=precision, scale=scale) != kind:
        return None
    if name in _SIZED:
        length = _number(schema, "max_length")
        if length is not None and length > 0:
            return ColumnType(types[name], (length,))
        # Without a number this would be one character only.
        return ColumnType("bpchar" if name == "character" else types[name])
    if name == "numeric" and precision is not None and scale is not None:
        return ColumnType(types[name], (precision, scale))
    return ColumnType(types[name])


def exact_default(kind: str, value: Any) -> Default | None:
    """The default of a snapshot's column; None for none."""
    if isinstance(value, str):
        found = _SEQUENCE.fullmatch(value)
        if found:
            quoted, plain = found.groups()
            return Default(plain or quoted[1:-1].replace('""', '"'), sequence=True)
        if kind in _TEMPORAL:
            text = _CUT[kind].get(value, value)
            if text in EXPRESSIONS:
                return Default(text, expression=True)
    return default_of(kind, value)


def exact_field(target: Mapping[str, Any], types: Types, table: str) -> FieldDraft:
    """The field of a snapshot, column and metadata as they are described.

    Raises:
        InvalidPayload: for a type that is not there, and whatever a request is refused for.
    """
    body = {name: target[name] for name in ("field", "type", "meta", "schema") if name in target}
    draft = replace(field_draft(body), exact=True)
    schema, kind = target.get("schema"), draft.type
    if draft.meta is not None and isinstance(target.get("meta"), Mapping):
        # A request's JSON field is given its special; this one had its own.
        draft = replace(draft, meta={**draft.meta, "special": _joined(target["meta"].get("special"))})
    if not isinstance(schema, Mapping) or kind is None:
        return draft
    declared = exact_type(kind, schema, (target.get("meta") or {}).get("special"), types)
    if declared is None:
        if draft.column is None and schema.get("data_type") is not None:
            raise InvalidPayload(
                f'"{table}.{draft.name}" is of type "{schema["data_type"]}", which is not there'
            )
        return draft
    return replace(draft, column=_column(draft, schema, declared, kind, table))


def _column(
    draft: FieldDraft, schema: Mapping[str, Any], declared: ColumnType, kind: str, table: str
) -> ColumnDraft:
    made = draft.column or ColumnDraft(
        draft.name,
        declared,
        nullable=schema.get("is_nullable") is not False,
        unique=schema.get("is_unique") is True,
        indexed=schema.get("is_indexed") is True,
    )
    if schema.get("is_generated") is True:
        expression = schema.get("generation_expression")
        what = f'The expression of "{table}.{draft.name}"'
        return replace(made, type=declared, default=None, generation=checked_expression(expression, what))
    default = exact_default(kind, schema.get("default_value"))
    numbered = schema.get("has_auto_increment") is True
    conventional = Default(f"{table}_{draft.name}_seq", sequence=True)
    if numbered and default == conventional and (declared.name, made.type.name) in _SERIALS:
        return made
    identity = numbered and default is None
    return replace(made, type=declared, default=default, identity=identity, owns=numbered)


def checks_of(schema: Any, table: str) -> dict[str, str]:
    """The expressions of a table's checks in a collection's ``schema``, by their names.

    Raises:
        InvalidPayload: for what could not come of a snapshot.
    """
    found = schema.get("checks") if isinstance(schema, Mapping) else None
    if found is None:
        return {}
    if not isinstance(found, Mapping) or not all(is_name(name) for name in found):
        raise InvalidPayload(f'The "checks" of "{table}" must be an object of expressions by names')
    return {
        name: checked_expression(text, f'The check "{name}" of "{table}"') for name, text in found.items()
    }


def exact_collection(
    target: Mapping[str, Any], fields: list[Mapping[str, Any]], types: Types
) -> CollectionDraft:
    """The collection of a snapshot with its fields.

    A key is put in only where the snapshot says nothing of one, as when its field is not tracked.

    Raises:
        InvalidPayload: see `exact_field`.
    """
    name = target["collection"]
    schema = target.get("schema")
    draft = collection_draft({"collection": name, "meta": target.get("meta"), "schema": schema})
    if draft.fields is None:
        return draft
    made = [exact_field(one, types, name) for one in fields]
    key = schema.get("primary_key") if isinstance(schema, Mapping) else None
    if key is not None and not (isinstance(key, list) and all(isinstance(one, str) for one in key)):
        raise InvalidPayload('"primary_key" must be an array of names')
    keyed = key is not None or any(one.column and one.column.primary_key for one in made)
    return replace(
        draft,
        fields=tuple(made) if keyed else (*draft.fields, *made),
        primary_key=tuple(key or ()),
        checks=checks_of(schema, name),
    )


def sequence_of(default: Default | None) -> str | None:
    """The sequence that a default takes its numbers of."""
    return default.text if default is not None and default.sequence else None


def _number(schema: Mapping[str, Any], name: str) -> int | None:
    value = schema.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if -MOST <= value <= MOST else None


def _special(value: Any) -> tuple[str, ...]:
    joined = _joined(value)
    return tuple(joined.split(",")) if joined else ()


def _joined(value: Any) -> str | None:
    if isinstance(value, (list, tuple)):
        return ",".join(str(one) for one in value)
    return value if isinstance(value, str) else None
