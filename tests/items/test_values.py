"""Values of payloads to PostgreSQL's texts, and what is refused, per type."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.items.values import Refused, converter_of
from domain.model import Column, Field

TEXT = ("character varying", "string")


def convert(value: Any, data_type: str, kind: str = "unknown", *special: str, **more: Any) -> str | None:
    base = more.pop("base_type", data_type)
    column = Column("f", data_type, more.pop("sql_type", data_type), base, **more)
    return converter_of(Field("c", "f", kind, column, special))(value)


@pytest.mark.parametrize(
    ("value", "data_type", "text"),
    [
        ("x", "text", "x"),
        (12, "text", "12"),
        (1.5, "text", "1.5"),
        (7.0, "text", "7"),
        (True, "text", "true"),
        ({"a": [1]}, "text", '{"a":[1]}'),
        ("42", "integer", "42"),
        (7.0, "integer", "7"),
        (" -5 ", "integer", "-5"),
        (2**31 - 1, "integer", "2147483647"),
        ("9223372036854775807", "bigint", "9223372036854775807"),
        (3.14159265, "real", "3.14159265"),
        ("2.5", "double precision", "2.5"),
        (1e-7, "double precision", "1e-07"),
        ("1.23456", "numeric", "1.23456"),
        (10**30, "numeric", "1" + "0" * 30),
        (1, "boolean", "true"),
        ("0", "boolean", "false"),
        ("FALSE", "boolean", "false"),
        ("2024-02-29", "date", "2024-02-29"),
        ("2024-06-01T23:30:00-02:00", "date", "2024-06-02"),
        ("0000-00-00 00:00:00", "date", None),
        ("2024-06-01T13:45:10.250", "timestamp without time zone", "2024-06-01T13:45:10"),
        ("2024-06-01T13:45:10+02:00", "timestamp without time zone", "2024-06-01T11:45:10"),
        ("2024-06-01", "timestamp without time zone", "2024-06-01T00:00:00"),
        ("2024-06-01", "timestamp with time zone", "2024-06-01T00:00:00+00:00"),
        ("2024-06-01T13:45:10.25Z", "timestamp with time zone", "2024-06-01T13:45:10.250000+00:00"),
        ("07:05", "time without time zone", "07:05"),
        ("24:00:00", "time without time zone", "24:00:00"),
        ("A0A0A0A0-0b0b-4c0c-8d0d-0e0e0e0e0e0e", "uuid", "a0a0a0a0-0b0b-4c0c-8d0d-0e0e0e0e0e0e"),
        ('{"text":"json"}', "jsonb", '{"text":"json"}'),
        ([1, "two", None], "json", '[1,"two",null]'),
        ("ab", "bytea", "\\x6162"),
        ("\\x00ff", "bytea", "\\x00ff"),
        ({"type": "Buffer", "data": [0, 255]}, "bytea", "\\x00ff"),
        ("1 day", "interval", "1 day"),
    ],
)
def test_texts(value: Any, data_type: str, text: str | None) -> None:
    assert convert(value, data_type) == text


@pytest.mark.parametrize(
    ("value", "data_type", "why"),
    [
        ("a\x00", "text", "invalid"),
        ("\ud800", "text", "invalid"),
        ("abc", "integer", "invalid"),
        ("", "integer", "invalid"),
        (True, "integer", "invalid"),
        (1.5, "integer", "invalid"),
        ([1], "integer", "invalid"),
        (2**31, "integer", "range"),
        ("1" * 5000, "integer", "range"),
        (2**15, "smallint", "range"),
        ("9223372036854775808", "bigint", "range"),
        ("nan", "double precision", "invalid"),
        ("1e400", "double precision", "range"),
        (10**400, "double precision", "range"),
        (1e39, "real", "range"),
        (1e-60, "real", "range"),
        ("Infinity", "numeric", "invalid"),
        ("1e200000", "numeric", "range"),
        ("maybe", "boolean", "invalid"),
        (2, "boolean", "invalid"),
        ("2023-02-30", "date", "invalid"),
        ("yesterdayish", "date", "invalid"),
        (1718000000000, "timestamp with time zone", "invalid"),
        ("", "timestamp without time zone", "invalid"),
        ("0001-01-01T00:00:00+10:00", "timestamp with time zone", "invalid"),
        ("25:00:00", "time without time zone", "invalid"),
        ("12:60", "time without time zone", "invalid"),
        ("24:00:01", "time without time zone", "invalid"),
        ("10:00+01", "time without time zone", "invalid"),
        ("not-a-uuid", "uuid", "invalid"),
        ("", "uuid", "invalid"),
        ("a string", "jsonb", "invalid"),
        ({"k\x00": 1}, "jsonb", "invalid"),
        ("\\xzz", "bytea", "invalid"),
        ([300], "bytea", "invalid"),
    ],
)
def test_refusals(value: Any, data_type: str, why: str) -> None:
    with pytest.raises(Refused) as raised:
        convert(value, data_type)
    assert raised.value.why == why


def test_lengths_are_counted_in_characters_and_trailing_blanks_are_free() -> None:
    assert convert("äöüßé", *TEXT, max_length=5) == "äöüßé"
    assert convert("abcde   ", *TEXT, max_length=5) == "abcde   "
    with pytest.raises(Refused) as raised:
        convert("abcdef", *TEXT, max_length=5)
    assert raised.value.why == "length"


@pytest.mark.parametrize("value", [123456789, "99999999.99995", -1e9])
def test_decimals_are_rounded_before_their_range_is_checked(value: Any) -> None:
    assert convert("99999999.99994", "numeric", numeric_precision=12, numeric_scale=4) == "99999999.99994"
    with pytest.raises(Refused) as raised:
        convert(value, "numeric", numeric_precision=12, numeric_scale=4)
    assert raised.value.why == "range"


def test_lists_of_texts() -> None:
    assert convert(["a", "b,c"], "text", "csv", "cast-csv") == "a,b,c"
    assert convert([], "text", "csv", "cast-csv") == ""
    assert convert("x,y", "text", "csv", "cast-csv") == "x,y"


def test_json_in_a_text_column() -> None:
    assert convert({"a": 1}, "text", "json", "cast-json") == '{"a":1}'
    assert convert("[1]", "text", "json", "cast-json") == "[1]"


def test_booleans_in_a_number() -> None:
    assert convert(True, "smallint", "integer", "cast-boolean") == "1"


def test_enums() -> None:
    mood = {"sql_type": "public.mood", "base_type": "mood", "category": "e"}
    more: dict[str, Any] = {**mood, "labels": ("sad", "ok")}
    assert convert("ok", "mood", **more) == "ok"
    with pytest.raises(Refused, match='one of "ok", "sad"'):
        convert("happy", "mood", **more)


def test_arrays() -> None:
    assert convert(["a", None, 'q"\\'], "text[]") == '{"a",NULL,"q\\"\\\\"}'
    assert convert([[1, 2], [3, 4]], "integer[]") == '{{"1","2"},{"3","4"}}'
    assert convert([], "integer[]") == "{}"
    assert convert("{1,2}", "integer[]") == "{1,2}"
    for wrong in ({"a": 1}, 5, ["x"], [[[[[[[1]]]]]]]):
        with pytest.raises(Refused):
            convert(wrong, "integer[]")


def test_domains_are_read_as_their_base_type() -> None:
    assert convert("2006", "year", sql_type="public.year", base_type="integer", category="d") == "2006"
    with pytest.raises(Refused):
        convert("x", "year", sql_type="public.year", base_type="integer", category="d")


@given(
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers()
    | st.decimals(-120, 120, places=3).map(float),
    st.sampled_from([(4, 2), (10, 5), (2, 2), (3, 0), (None, None)]),
)
def test_decimals_are_rounded_for_the_range_only(value: float, size: tuple[int | None, int | None]) -> None:
    precision, scale = size
    number = Decimal(repr(value))
    fits = (
        scale is None
        or precision is None
        or (
            abs(number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, Context(prec=2000)))
            < Decimal(10) ** (precision - scale)
        )
    )
    try:
        text = convert(value, "numeric", numeric_precision=precision, numeric_scale=scale)
    except Refused:
        text = None
    assert text == (format(number, "f") if fits else None)
