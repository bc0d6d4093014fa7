"""What each wire type of a field allows: operators, functions, output formats, search."""

from __future__ import annotations

from collections.abc import Mapping

from domain.errors import InvalidQuery
from domain.model import Column, Field

_BASE = frozenset({"_eq", "_neq", "_null", "_nnull", "_in", "_nin"})
_ORDERED = _BASE | {"_lt", "_lte", "_gt", "_gte", "_between", "_nbetween"}
_EMPTY = frozenset({"_empty", "_nempty", "_null", "_nnull"})
_STRING = (
    _BASE
    | _EMPTY
    | frozenset(
        [
            "_contains",
            "_ncontains",
            "_icontains",
            "_starts_with",
            "_nstarts_with",
            "_istarts_with",
            "_nistarts_with",
            "_ends_with",
            "_nends_with",
            "_iends_with",
            "_niends_with",
        ]
    )
)
_GEOMETRY = frozenset(
    {"_eq", "_neq", "_null", "_nnull", "_intersects", "_nintersects", "_intersects_bbox", "_nintersects_bbox"}
)
_OTHER = _ORDERED | {"_contains", "_ncontains", "_empty", "_nempty"}

_OPERATORS: Mapping[str, frozenset[str]] = {
    "string": _STRING,
    "text": _STRING,
    "csv": _STRING,
    "binary": _STRING,
    "hash": _EMPTY,
    "uuid": _BASE,
    "json": frozenset({"_null", "_nnull"}),
    "boolean": _BASE - {"_in", "_nin"},
    "integer": _ORDERED,
    "bigInteger": _ORDERED,
    "float": _ORDERED,
    "decimal": _ORDERED,
    "date": _ORDERED,
    "dateTime": _ORDERED,
    "time": _ORDERED,
}
FUNCTION_OPERATORS = _ORDERED
NUMERIC = frozenset({"integer", "float", "decimal"})
"""Types whose operands have to be numbers; a bigInteger's pass as text."""

_DATE = frozenset({"year", "month", "week", "day", "weekday"})
_TIME = frozenset({"hour", "minute", "second"})
_FUNCTIONS: Mapping[str, frozenset[str]] = {
    "date": _DATE,
    "time": _TIME,
    "dateTime": _DATE | _TIME,
    "timestamp": _DATE | _TIME,
    "json": frozenset({"count"}),
    "alias": frozenset({"count"}),
}
FUNCTIONS = _DATE | _TIME | {"count", "json"}

TEXT_TYPES = frozenset({"text", "character varying", "character", "citext", "name", "bpchar"})

_FORMATS: Mapping[str, str] = {
    "integer": "plain",
    "bigInteger": "text",
    "decimal": "text",
    "dateTime": "datetime",
    "timestamp": "timestamp",
    "csv": "csv",
    "binary": "buffer",
    "json": "json",
}
_FORMATS_BY_COLUMN: Mapping[str, str] = {
    "bigint": "text",
    "numeric": "text",
    "bytea": "buffer",
    "interval": "interval",
    "point": "point",
    "timestamp without time zone": "datetime",
    "timestamp with time zone": "timestamp",
}


def operators(field: Field) -> frozenset[str]:
    """The operators that a filter may use on a field."""
    if field.concealed:
        return _EMPTY
    if field.type == "alias":
        return _BASE
    if field.type.startswith("geometry"):
        return _GEOMETRY if field.type == "geometry" else _OTHER | _GEOMETRY
    return _OPERATORS.get(field.type, _OTHER)


def require_open(field: Field, done: str) -> None:
    """Refuse what would tell something of a concealed value.

    Raises:
        InvalidQuery: for a concealed field.
    """
    if field.concealed:
        raise InvalidQuery(f'Field "{field.name}" is concealed and can\'t be {done}')


def functions(field: Field) -> frozenset[str]:
    """The functions that may be applied to a field, ``json`` aside."""
    return _FUNCTIONS.get(field.type, frozenset())


def output_format(field: Field) -> str:
    """The form in which an answer holds the field's value."""
    column = field.column
    if field.concealed:
        return "conceal"
    if column is None:
        return "plain"
    if "cast-boolean" in field.special and column.base_type != "boolean":
        return "boolean"
    if field.type.startswith("geometry"):
        return "geojson"
    if column.base_type in ("json", "jsonb") or column.base_type.endswith("[]"):
        return "plain"
    return _FORMATS.get(field.type) or by_column(column)


def by_column(column: Column) -> str:
    """The form that a column's own type asks for, whatever the field says."""
    return _FORMATS_BY_COLUMN.get(column.base_type, "plain")
