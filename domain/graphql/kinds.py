"""How the wire types of fields appear in GraphQL: scalars, operators of filters, functions (section 3)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from domain.model import Column, Field
from domain.query.fields import output_format

_SCALARS: Mapping[str, str] = {
    "boolean": "Boolean",
    "integer": "Int",
    "bigInteger": "GraphQLBigInt",
    "float": "Float",
    "decimal": "Float",
    "date": "Date",
    "dateTime": "Date",
    "timestamp": "Date",
    "time": "Date",
    "json": "JSON",
    "csv": "[String]",
    "uuid": "ID",
    "hash": "Hash",
    "geometry": "GraphQLGeoJSON",
}
_FILTERS: Mapping[str, str] = {
    "boolean": "boolean",
    "integer": "number",
    "bigInteger": "big_int",
    "float": "number",
    "decimal": "number",
    "date": "date",
    "dateTime": "date",
    "timestamp": "date",
    "time": "date",
    "uuid": "id",
    "hash": "hash",
    "geometry": "geometry",
}
_FUNCTIONS: Mapping[str, str] = {
    "date": "date",
    "dateTime": "datetime",
    "timestamp": "datetime",
    "time": "time",
    "json": "count",
    "alias": "count",
}
_DATE, _TIME = ("year", "month", "week", "day", "weekday"), ("hour", "minute", "second")
FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "count": ("count",),
    "date": _DATE,
    "time": _TIME,
    "datetime": (*_DATE, *_TIME),
}
"""The members of ``<name>_functions``."""

_TEXT = (
    "_eq", "_neq", "_contains", "_icontains", "_ncontains", "_starts_with", "_nstarts_with", "_istarts_with",
    "_nistarts_with", "_ends_with", "_nends_with", "_iends_with", "_niends_with",
)  # fmt: skip
_SWITCHES = {"_null": "Boolean", "_nnull": "Boolean"}
_EMPTY = {"_empty": "Boolean", "_nempty": "Boolean"}


def _text_operators(scalar: str) -> Mapping[str, str]:
    lists = {"_in": f"[{scalar}]", "_nin": f"[{scalar}]"}
    return {**dict.fromkeys(_TEXT, scalar), **lists, **_SWITCHES, **_EMPTY}


def _ordered_operators(scalar: str, bound: str) -> Mapping[str, str]:
    comparisons = dict.fromkeys(("_eq", "_neq", "_gt", "_gte", "_lt", "_lte"), scalar)
    lists = {"_in": f"[{scalar}]", "_nin": f"[{scalar}]", "_between": f"[{bound}]", "_nbetween": f"[{bound}]"}
    return {**comparisons, **_SWITCHES, **lists}


OPERATORS: Mapping[str, Mapping[str, str]] = {
    "string": _text_operators("String"),
    "id": _text_operators("ID"),
    "boolean": {"_eq": "Boolean", "_neq": "Boolean", **_SWITCHES},
    "number": _ordered_operators("GraphQLStringOrFloat", "GraphQLStringOrFloat"),
    "big_int": _ordered_operators("GraphQLBigInt", "GraphQLBigInt"),
    "date": _ordered_operators("String", "GraphQLStringOrFloat"),
    "geometry": {
        "_eq": "GraphQLGeoJSON",
        "_neq": "GraphQLGeoJSON",
        "_intersects": "GraphQLGeoJSON",
        "_nintersects": "GraphQLGeoJSON",
        "_intersects_bbox": "GraphQLGeoJSON",
        "_nintersects_bbox": "GraphQLGeoJSON",
        **_SWITCHES,
    },
    "hash": {**_SWITCHES, **_EMPTY},
}
"""The members of ``<name>_filter_operators`` and their types."""

NUMBERS = frozenset({"integer", "bigInteger", "float", "decimal"})
"""Wire types that can be summed up."""
COMMON_NUMBERS = NUMBERS - {"bigInteger"}

RESERVED = frozenset(
    [
        "Query",
        "Mutation",
        "Subscription",
        "Int",
        "Float",
        "String",
        "Boolean",
        "DateTime",
        "ID",
        "uid",
        "Point",
        "PointList",
        "Polygon",
        "MultiPolygon",
        "JSON",
        "Hash",
        "Date",
        "Void",
    ]
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def valid_name(name: str) -> bool:
    """Whether something may bear this name in a schema."""
    return bool(_NAME.fullmatch(name)) and not name.startswith("__") and name not in RESERVED


def scalar(field: Field) -> str:
    """The scalar of a field's values, its key being one aside."""
    if field.concealed:
        return "Hash"
    if field.column is not None and field.type == "unknown" and field.column.base_type.endswith("[]"):
        return "JSON"
    return _SCALARS.get(field.type, "String")


def filter_kind(field: Field) -> str:
    """The prefix of a field's filter type."""
    return "hash" if field.concealed else _FILTERS.get(field.type, "string")


def function_kind(field: Field) -> str | None:
    """The prefix of the type of a field's functions, None without any."""
    return None if field.concealed else _FUNCTIONS.get(field.type)


def value_form(field: Field, shown: str) -> str:
    """The form in which SQL writes a field's value where the schema promises ``shown``."""
    column = field.column
    form = output_format(field)
    if column is None or form == "conceal":
        return form
    if shown in ("ID", "GraphQLBigInt"):
        return "text"
    if shown == "Int":
        return "integer" if column.base_type not in ("integer", "smallint") else "plain"
    if shown == "Float":
        return _float_form(column)
    if shown == "String":
        return _string_form(column, form)
    return form


def _float_form(column: Column) -> str:
    if column.base_type in ("real", "double precision"):
        return "float"
    return "number"


def _string_form(column: Column, form: str) -> str:
    if column.base_type == "bytea":
        return "escaped"
    if form == "geojson":
        return "geojson_text"
    return "plain" if column.base_type in ("text", "character varying") else "text"
