"""Wire types: the contract's tables, row by row."""

import pytest

from domain.model.types import TYPES, ColumnType, column_type, default_value, field_type, item_type

LISTED = {
    "smallint": "integer", "integer": "integer", "bigint": "bigInteger", "real": "float",
    "double precision": "float", "money": "float", "character varying": "string", "character": "string",
    "bpchar": "string", "text": "text", "citext": "text", "date": "date", "time without time zone": "time",
    "time with time zone": "time", "timestamp without time zone": "dateTime",
    "timestamp with time zone": "timestamp", "json": "json", "jsonb": "json", "uuid": "uuid",
    "boolean": "boolean", "bit": "boolean", "bit varying": "unknown", "bytea": "unknown",
    "interval": "string", "xml": "unknown", "inet": "unknown", "int4range": "unknown",
    "integer[]": "unknown", "text[]": "unknown", "mood": "unknown", "tsvector": "unknown",
    "POINT": "geometry.Point", "point": "geometry.Point", "polygon": "geometry.Polygon",
    "GEOMETRY": "geometry", "MULTIPOLYGON": "geometry.MultiPolygon", "line": "unknown",
}  # fmt: skip


@pytest.mark.parametrize(("data_type", "expected"), LISTED.items())
def test_fields_show(data_type: str, expected: str) -> None:
    assert field_type(data_type) == expected


@pytest.mark.parametrize(
    ("precision", "scale", "expected"), [(None, None, "integer"), (10, 0, "decimal"), (10, 2, "decimal")]
)
def test_numeric_in_fields(precision: int | None, scale: int | None, expected: str) -> None:
    assert field_type("numeric", precision=precision, scale=scale) == expected


@pytest.mark.parametrize(
    ("special", "expected"),
    [
        (["cast-json"], "json"), (["hash", "conceal"], "hash"), (["cast-csv"], "csv"), (["uuid"], "uuid"),
        (["file"], "uuid"), (["cast-timestamp"], "timestamp"), (["x", "cast-datetime"], "dateTime"),
        (["conceal"], "text"), ([], "text"),
    ],
)  # fmt: skip
def test_specials_decide_first(special: list[str], expected: str) -> None:
    assert field_type("text", special) == expected
    assert item_type("text", special) == expected


def test_items_read_coarser() -> None:
    assert item_type("numeric") == "decimal"
    assert item_type("citext") == "unknown"
    assert item_type("integer[]") == "unknown"


def test_spatial_columns_keep_their_first_special() -> None:
    assert item_type("geometry", ["geometry.Point"]) == "geometry.Point"
    assert field_type("POINT", ["geometry.LineString"]) == "geometry.LineString"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("string", ColumnType("varchar", (255,))), ("text", ColumnType("text")), ("csv", ColumnType("text")),
        ("hash", ColumnType("varchar", (255,))), ("boolean", ColumnType("boolean")),
        ("integer", ColumnType("integer")), ("bigInteger", ColumnType("bigint")),
        ("float", ColumnType("real")), ("decimal", ColumnType("numeric", (10, 5))),
        ("date", ColumnType("date")), ("time", ColumnType("time")), ("dateTime", ColumnType("timestamp")),
        ("timestamp", ColumnType("timestamptz")), ("json", ColumnType("json")), ("uuid", ColumnType("uuid")),
        ("binary", ColumnType("bytea")), ("geometry.Point", ColumnType("geometry", ("Point", 4326))),
        ("alias", None), ("m2a", None), ("unknown", None),
    ],
)  # fmt: skip
def test_columns_are_declared(name: str, expected: ColumnType | None) -> None:
    assert column_type(name) == expected


def test_columns_take_length_precision_and_sequence() -> None:
    assert column_type("string", max_length=20) == ColumnType("varchar", (20,))
    assert column_type("decimal", precision=4, scale=0) == ColumnType("numeric", (4, 0))
    assert column_type("integer", auto_increment=True) == ColumnType("serial")
    assert column_type("bigInteger", auto_increment=True) == ColumnType("bigserial")


def test_a_type_that_is_none() -> None:
    assert "strnig" not in TYPES
    with pytest.raises(ValueError, match="strnig"):
        column_type("strnig")


@pytest.mark.parametrize(
    ("expression", "kind", "expected"),
    [
        (None, "string", None),
        ("NULL::character varying", "string", None),
        ("'draft'::character varying", "string", "draft"),
        ("'it''s: a::b'::text", "text", "it's: a::b"),
        ("5", "integer", 5),
        ("'-5'::integer", "integer", -5),
        ("(-5)", "integer", -5),
        ("4.99", "decimal", 4.99),
        ("true", "boolean", True),
        ("false", "boolean", False),
        ("'[\"a\"]'::json", "json", ["a"]),
        ("CURRENT_TIMESTAMP", "timestamp", "CURRENT_TIMESTAMP"),
        ("gen_random_uuid()", "uuid", "gen_random_uuid()"),
        ("nextval('a_id_seq'::regclass)", "integer", "nextval('a_id_seq'::regclass)"),
    ],
)
def test_defaults(expression: str | None, kind: str, expected: object) -> None:
    assert default_value(expression, kind) == expected
