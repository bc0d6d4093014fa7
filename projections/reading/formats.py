"""The forms of values in answers (section 6 of the contract), as SQL around an expression.

What PostgreSQL's own JSON output writes as the contract wants it (numbers, booleans, dates, times, arrays)
is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import LiteralString

from domain.query.plan import Scalar
from projections.reading.compose import Piece, word
from projections.reading.expressions import Expressions


def formatted(expressions: Expressions, scalar: Scalar) -> Piece:
    """A value in its form."""
    return in_form(expressions.expression(scalar.expression), scalar.format)


def in_form(expression: Piece, form: str) -> Piece:
    """An expression in a form."""
    write = _FORMS.get(form)
    return expression if write is None else write(expression)


def _text(value: Piece) -> Piece:
    return word("(", value, ")::text")


def _datetime(value: Piece) -> Piece:
    return word("date_trunc('second', (", value, ")::timestamp)")


def _timestamp(value: Piece) -> Piece:
    return word("to_char((", value, ") AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")


def _csv(value: Piece) -> Piece:
    return word("string_to_array((", value, ")::text, ',')")


def _json(value: Piece) -> Piece:
    return word("(", value, ")::json")


def _conceal(value: Piece) -> Piece:
    return word("CASE WHEN (", value, ")::text <> '' THEN '**********' END")


def _boolean(value: Piece) -> Piece:
    true: LiteralString = ")::text WHEN '1' THEN 'true'::json WHEN 'true' THEN 'true'::json"
    false: LiteralString = " WHEN '0' THEN 'false'::json WHEN 'false' THEN 'false'::json WHEN '' THEN NULL"
    return word("CASE (", value, true, false, " ELSE to_json(", value, ") END")


def _buffer(value: Piece) -> Piece:
    return word(
        "CASE WHEN (", value, ") IS NOT NULL THEN json_build_object('type', 'Buffer', 'data', coalesce(",
        "(SELECT json_agg(get_byte(", value, ", i) ORDER BY i) FROM generate_series(0, length(", value,
        ") - 1) AS i), '[]'::json)) END",
    )  # fmt: skip


def _interval(value: Piece) -> Piece:
    parts = (
        ("'years', nullif(extract(year FROM ", "), 0)"),
        (", 'months', nullif(extract(month FROM ", "), 0)"),
        (", 'days', nullif(extract(day FROM ", "), 0)"),
        (", 'hours', nullif(extract(hour FROM ", "), 0)"),
        (", 'minutes', nullif(extract(minute FROM ", "), 0)"),
        (", 'seconds', nullif(trunc(extract(second FROM ", ")), 0)"),
        (", 'milliseconds', nullif(trim_scale(mod(extract(second FROM ", "), 1) * 1000), 0)"),
    )
    members = word(*(word(before, value, after) for before, after in parts))
    return word(
        "CASE WHEN (", value, ") IS NOT NULL THEN json_strip_nulls(json_build_object(", members, ")) END"
    )


def _point(value: Piece) -> Piece:
    return word(
        "CASE WHEN (",
        value,
        ") IS NOT NULL THEN json_build_object('x', (",
        value,
        ")[0], 'y', (",
        value,
        ")[1]) END",
    )


def _geojson(value: Piece) -> Piece:
    return word("ST_AsGeoJSON(", value, ")::json")


def _number(value: Piece) -> Piece:
    return word("trim_scale(nullif((", value, ")::numeric, 'NaN'))")


def _float(value: Piece) -> Piece:
    # JSON has no word for what is no finite number.
    return word("CASE WHEN (", value, ") NOT IN ('NaN', 'Infinity', '-Infinity') THEN ", value, " END")


def _integer(value: Piece) -> Piece:
    return word("floor((", value, ")::numeric)")


def _escaped(value: Piece) -> Piece:
    return word("encode(", value, ", 'escape')")


def _geojson_text(value: Piece) -> Piece:
    return word("ST_AsGeoJSON(", value, ")")


_FORMS: Mapping[str, Callable[[Piece], Piece]] = {
    "text": _text,
    "number": _number,
    "float": _float,
    "integer": _integer,
    "escaped": _escaped,
    "geojson_text": _geojson_text,
    "datetime": _datetime,
    "timestamp": _timestamp,
    "csv": _csv,
    "json": _json,
    "conceal": _conceal,
    "boolean": _boolean,
    "buffer": _buffer,
    "interval": _interval,
    "point": _point,
    "geojson": _geojson,
}
