"""Wire types of columns: from a column to its type and from a type to a column, as pure functions.

There are two readings of a column. :func:`item_type` is the item API's: it looks through domains, takes a
numeric without precision as a decimal, and leaves arrays, enums and extension types unknown (their values
pass through unchanged). :func:`field_type` is the one ``/fields`` shows.
"""

from __future__ import annotations

import json
from collections.abc import Collection as Names
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ALIAS_SPECIALS = frozenset({"alias", "o2m", "m2m", "m2a", "o2a", "files", "translations"})
"""Specials that make a metadata row without a column a field; also the types a request may name them by."""

_BY_SPECIAL: Mapping[str, str] = {
    "cast-json": "json",
    "hash": "hash",
    "cast-csv": "csv",
    "uuid": "uuid",
    "file": "uuid",
    "cast-timestamp": "timestamp",
    "cast-datetime": "dateTime",
}

_BY_DATA_TYPE: Mapping[str, str] = {
    "smallint": "integer",
    "integer": "integer",
    "bigint": "bigInteger",
    "numeric": "decimal",
    "real": "float",
    "double precision": "float",
    "money": "float",
    "character varying": "string",
    "character": "string",
    "bpchar": "string",
    "interval": "string",
    "text": "text",
    "date": "date",
    "time without time zone": "time",
    "time with time zone": "time",
    "timestamp without time zone": "dateTime",
    "timestamp with time zone": "timestamp",
    "json": "json",
    "jsonb": "json",
    "uuid": "uuid",
    "boolean": "boolean",
    "bit": "boolean",
}

_BOOLEANS: Mapping[str, bool] = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_GEOMETRIES = ("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon")
_SPATIAL: Mapping[str, str] = {
    "geometry": "geometry",
    "geography": "geometry",
    **{kind.lower(): f"geometry.{kind}" for kind in _GEOMETRIES},
}


@dataclass(frozen=True, slots=True)
class ColumnType:
    """What a new column is declared as: a type's name, ours or the catalog's, and what is in its brackets."""

    name: str
    arguments: tuple[int | str, ...] = ()


_COLUMNS: Mapping[str, ColumnType] = {
    "text": ColumnType("text"),
    "csv": ColumnType("text"),
    "hash": ColumnType("varchar", (255,)),
    "boolean": ColumnType("boolean"),
    "integer": ColumnType("integer"),
    "bigInteger": ColumnType("bigint"),
    "float": ColumnType("real"),
    "date": ColumnType("date"),
    "time": ColumnType("time"),
    "dateTime": ColumnType("timestamp"),
    "timestamp": ColumnType("timestamptz"),
    "json": ColumnType("json"),
    "uuid": ColumnType("uuid"),
    "binary": ColumnType("bytea"),
    "geometry": ColumnType("geometry", ("Geometry", 4326)),
} | {f"geometry.{kind}": ColumnType("geometry", (kind, 4326)) for kind in _GEOMETRIES}

_SERIALS: Mapping[str, ColumnType] = {"integer": ColumnType("serial"), "bigInteger": ColumnType("bigserial")}

TYPES = frozenset({*_COLUMNS, "string", "decimal", "unknown", *ALIAS_SPECIALS})
"""Every type a request may name."""


def item_type(base_type: str, special: Names[str] = ()) -> str:
    """The type the item API reads and writes a column as; ``base_type`` is the one under domains."""
    chosen = _by_special(special)
    if chosen is not None:
        return chosen
    if base_type in ("geometry", "geography"):
        return _geometry(special, "geometry")
    return _BY_DATA_TYPE.get(base_type, "unknown")


def field_type(
    data_type: str, special: Names[str] = (), *, precision: int | None = None, scale: int | None = None
) -> str:
    """The type ``/fields`` shows for a column."""
    chosen = _by_special(special)
    if chosen is not None:
        return chosen
    lowered = data_type.lower()
    if lowered in _SPATIAL:
        return _geometry(special, _SPATIAL[lowered])
    if lowered == "citext":
        return "text"
    if lowered == "numeric" and (precision is None or scale is None):
        return "integer"
    return _BY_DATA_TYPE.get(lowered, "unknown")


def column_type(
    name: str,
    *,
    max_length: int | None = None,
    precision: int | None = None,
    scale: int | None = None,
    auto_increment: bool = False,
) -> ColumnType | None:
    """What a column of a wire type is declared as; None for types that have no column.

    Raises:
        ValueError: for a name that is no type.
    """
    if name not in TYPES:
        raise ValueError(f'"{name}" is not a type')
    if auto_increment and name in _SERIALS:
        return _SERIALS[name]
    if name == "string":
        return ColumnType("varchar", (255 if max_length is None else max_length,))
    if name == "decimal":
        return ColumnType("numeric", (10 if precision is None else precision, 5 if scale is None else scale))
    return _COLUMNS.get(name)


def default_value(expression: str | None, kind: str) -> Any:
    """A column's default as the wire shows it: the literal's value, or the text of an expression.

    ``expression`` is the catalog's text (``'draft'::character varying``), ``kind`` the wire type.
    """
    if expression is None:
        return None
    if expression.startswith("nextval("):
        return expression
    text = _literal(expression)
    if text is None:
        return None
    if kind in ("integer", "bigInteger", "decimal", "float"):
        return _number(text)
    if kind == "boolean":
        return _BOOLEANS.get(text.lower(), text)
    if kind == "json":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _literal(expression: str) -> str | None:
    """The text of a default without its cast and outer quotes; None for NULL."""
    if expression.startswith("'"):
        end = 1
        while end < len(expression):
            if expression[end] == "'":
                if expression[end + 1 : end + 2] != "'":
                    break
                end += 1
            end += 1
        return expression[1:end].replace("''", "'")
    text = expression.split("::", 1)[0]
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]  # negative numbers come as (-1)
    return None if text.upper() == "NULL" else text


def _number(text: str) -> int | float | str:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _by_special(special: Names[str]) -> str | None:
    return next((_BY_SPECIAL[entry] for entry in special if entry in _BY_SPECIAL), None)


def _geometry(special: Names[str], kind: str) -> str:
    return next((entry for entry in special if entry.startswith("geometry")), kind)
