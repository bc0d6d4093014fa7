"""Which converter a column has."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import orjson

from domain.items.values import arrays, numbers, texts, times
from domain.items.values.refused import Refused
from domain.model import Column, Field

Converter: TypeAlias = Callable[[Any], str | None]

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_HEXADECIMAL = re.compile(r"\\x([0-9a-f]{2})*", re.IGNORECASE | re.ASCII)
_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})
_TEXTS = frozenset({"text", "character varying", "character", "bpchar", "citext", "name", "public.citext"})
_LENGTH_IN_TYPE = re.compile(r"(?:character varying|character|varchar|char|bpchar)\((\d+)\)")
_MODIFIER = re.compile(r"\(.*\)")


def converter_of(field: Field) -> Converter:
    """The converter of a field that has a column: its specials first, then the column's type."""
    column = field.column
    if column is None:
        raise ValueError(f'field "{field.name}" has no column')
    stored = _by_column(column)
    if field.type == "csv" or "cast-csv" in field.special:
        return _comma_separated(stored)
    if _is_text(column) and (field.type == "json" or "cast-json" in field.special):
        return _json_in_text(stored)
    if "cast-boolean" in field.special and column.base_type != "boolean":
        return _boolean_elsewhere(stored)
    return stored


def _by_column(column: Column) -> Converter:
    if column.sql_type.endswith("[]") or column.base_type.endswith("[]") or column.data_type == "ARRAY":
        return arrays.array(_array_element(column))
    if column.labels:
        return _enum(frozenset(column.labels))
    if column.category in "crm":
        return _literal
    if column.base_type == "numeric":
        return numbers.decimal(column.numeric_precision, column.numeric_scale)
    if column.base_type in _TEXTS:
        return _text(column.max_length)
    return _SIMPLE.get(column.base_type, _literal)


def _array_element(column: Column) -> Converter:
    name = column.base_type if column.base_type.endswith("[]") else column.sql_type
    element = name.removesuffix("[]")
    if column.labels:
        return _enum(frozenset(column.labels))
    bare = _MODIFIER.sub("", element).strip()
    if bare in _TEXTS:
        length = _LENGTH_IN_TYPE.fullmatch(element)
        return _text(int(length[1]) if length else None)
    if bare == "numeric":
        return numbers.decimal(None, None)
    return _SIMPLE.get(bare, _literal)


def _is_text(column: Column) -> bool:
    return column.base_type in _TEXTS


def _text(maximum: int | None) -> Converter:
    if maximum is None:
        return texts.plain

    def convert(value: Any) -> str:
        text = texts.plain(value)
        # PostgreSQL cuts blanks beyond the length without a word.
        if len(text) > maximum and text[maximum:].strip(" "):
            raise Refused(f"a text of at most {maximum} characters", "length")
        return text

    return convert


def _enum(labels: frozenset[str]) -> Converter:
    def convert(value: Any) -> str:
        text = texts.plain(value)
        if text not in labels:
            raise Refused("one of " + ", ".join(f'"{label}"' for label in sorted(labels)))
        return text

    return convert


def _literal(value: Any) -> str:
    """Types of which only PostgreSQL knows the form: intervals, ranges, tsvector, inet ..."""
    return texts.plain(value)


def _boolean(value: Any) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    text = str(value).strip().lower() if isinstance(value, str | int) else ""
    if text in _TRUE:
        return "true"
    if text in _FALSE:
        return "false"
    raise Refused("a boolean")


def _boolean_elsewhere(stored: Converter) -> Converter:
    def convert(value: Any) -> str | None:
        return stored(int(value)) if isinstance(value, bool) else stored(value)

    return convert


def _uuid(value: Any) -> str:
    if isinstance(value, str) and _UUID.fullmatch(value):
        return value.lower()
    raise Refused("a UUID")


def _json(value: Any) -> str:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise Refused("a JSON value (a text is read as JSON)") from error
    return texts.json_text(value)


def _json_in_text(stored: Converter) -> Converter:
    def convert(value: Any) -> str | None:
        return stored(_json(value))

    return convert


def _comma_separated(stored: Converter) -> Converter:
    def convert(value: Any) -> str | None:
        if isinstance(value, list):
            return stored(",".join("" if entry is None else texts.plain(entry) for entry in value))
        return stored(value)

    return convert


def _bytes(value: Any) -> str:
    if isinstance(value, str):
        if value.startswith("\\x"):
            if not _HEXADECIMAL.fullmatch(value):
                raise Refused("bytes as \\x and hexadecimal digits, or a text")
            return value
        return "\\x" + texts.plain(value).encode().hex()
    if isinstance(value, dict) and value.get("type") == "Buffer":
        value = value.get("data")
    if isinstance(value, list) and all(type(entry) is int and 0 <= entry < 256 for entry in value):
        return "\\x" + bytes(value).hex()
    raise Refused("bytes as \\x and hexadecimal digits, or a text")


_SIMPLE: dict[str, Converter] = {
    "smallint": numbers.integer(16),
    "integer": numbers.integer(32),
    "bigint": numbers.integer(64),
    "oid": numbers.integer(33),
    "real": numbers.floating(single=True),
    "double precision": numbers.floating(single=False),
    "boolean": _boolean,
    "date": times.date,
    "timestamp without time zone": times.date_time,
    "timestamp with time zone": times.timestamp,
    "time without time zone": times.time,
    "time with time zone": times.time_with_zone,
    "uuid": _uuid,
    "json": _json,
    "jsonb": _json,
    "bytea": _bytes,
}
