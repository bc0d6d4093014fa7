"""Names, drafts, differences and renamings: decisions without a database."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidPayload, ValueTooLong
from domain.model import Collection, CollectionKind, Column, Field, Model, Relation, RelationMeta
from domain.model.differences import applied, differences
from domain.model.drafts import Default, collection_draft, default_of, field_draft, relation_draft
from domain.model.field_changes import ColumnChanges, column_changes
from domain.model.naming import check_collection_name, constraint_name
from domain.model.renaming import FieldName
from domain.model.schema_diff import check_applicable, check_diff, check_snapshot, diff_snapshots, is_empty
from domain.model.snapshot import fingerprint
from domain.model.types import ColumnType
from domain.model.wire import column as wire_column

REFERENCE = json.loads((Path(__file__).parent / "data" / "reference_snapshot.json").read_text())


def test_names_of_constraints() -> None:
    assert constraint_name("Book.s-x", "Author", "foreign") == "book_s_x_author_foreign"
    assert constraint_name("a", "b", "unique") == "a_b_unique"
    limits: dict[Literal["unique", "index", "foreign"], int] = {"unique": 63, "index": 63, "foreign": 60}
    for kind, limit in limits.items():
        long = constraint_name("t" * 40, "ü" * 30, kind)
        assert len(long.encode()) <= limit
        assert long.endswith(f"_{kind}")
        assert long != constraint_name("t" * 40, "ü" * 29 + "u", kind)


@pytest.mark.parametrize("name", [None, "", 5, "directus_x", "a/b", "ü" * 32])
def test_bad_names(name: Any) -> None:
    with pytest.raises(InvalidPayload):
        check_collection_name(name)


def test_good_names() -> None:
    for name in ("A b", "1x", "with-hyphen", "x" * 63):
        assert check_collection_name(name) == name
    with pytest.raises(ValueTooLong):
        check_collection_name("x" * 65)


def test_a_key_is_put_in_front() -> None:
    draft = collection_draft({"collection": "a", "schema": {}, "fields": [{"field": "x", "type": "text"}]})
    assert draft.fields is not None
    assert [field.name for field in draft.fields] == ["id", "x"]
    key = draft.fields[0].column
    assert key is not None
    assert (key.type, key.primary_key, key.nullable) == (ColumnType("serial"), True, False)
    assert draft.fields[0].meta == {"hidden": True, "interface": "numeric", "readonly": True, "sort": 1}
    assert draft.fields[1].meta is None


def test_positions_count_per_group() -> None:
    fields: list[dict[str, Any]] = [
        {"field": "id", "type": "uuid", "schema": {"is_primary_key": True}, "meta": {}},
        {"field": "untracked", "type": "string"},
        {"field": "block", "type": "alias", "meta": {"special": ["alias", "no-data", "group"]}},
        {"field": "inside", "type": "string", "meta": {"group": "block"}},
        {"field": "given", "type": "string", "meta": {"sort": 9}},
        {"field": "last", "type": "string", "meta": {}},
    ]
    draft = collection_draft({"collection": "a", "schema": {}, "fields": fields})
    assert draft.fields is not None
    found = {field.name: field.meta and field.meta["sort"] for field in draft.fields}
    assert found == {"id": 1, "untracked": None, "block": 2, "inside": 1, "given": 9, "last": 4}


def test_json_gets_its_special() -> None:
    assert field_draft({"field": "j", "type": "json"}).meta == {"special": "cast-json"}
    found = field_draft({"field": "j", "type": "json", "meta": {"special": ["x"]}}).meta
    assert found == {"special": "x,cast-json"}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("timestamp", "NOW()", Default("CURRENT_TIMESTAMP", expression=True)),
        ("timestamp", "CURRENT_TIMESTAMP(3)", Default("CURRENT_TIMESTAMP(3)", expression=True)),
        ("timestamp", "current_timestamp(9)", Default("current_timestamp(9)")),
        ("uuid", "gen_random_uuid()", Default("gen_random_uuid()", expression=True)),
        ("string", "upper(1)", Default("upper(1)")),
        ("string", "'; drop table x; --", Default("'; drop table x; --")),
        ("boolean", False, Default("false")),
        ("integer", 5, Default("5")),
        ("json", {"a": ["ü"]}, Default('{"a":["ü"]}')),
        ("string", None, None),
    ],
)
def test_defaults(kind: str, value: Any, expected: Default | None) -> None:
    assert default_of(kind, value) == expected


@pytest.mark.parametrize(
    "body",
    [
        5,
        {"field": "x"},
        {"collection": "a"},
        {"collection": "a", "field": "b", "related_collection": 5},
        {"collection": "a", "field": "b", "schema": {"on_delete": "EXPLODE"}},
        {"collection": "a", "field": "b", "schema": 5},
        {"collection": "a", "field": "b", "more": 5},
    ],
)
def test_bad_relations(body: Any) -> None:
    with pytest.raises(InvalidPayload):
        relation_draft(body)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("xyz", max_size=2), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES, VALUES)
def test_applying_differences_gives_the_other(before: Any, after: Any) -> None:
    changes = json.loads(json.dumps(differences(before, after)))
    assert json.dumps(applied(before, changes), sort_keys=True) == json.dumps(after, sort_keys=True)
    assert differences(before, before) == []


def test_the_format_of_differences() -> None:
    before = {"a": 1, "b": ["x", "y"], "c": {"d": None}}
    after = {"a": 2, "b": ["x"], "c": {"d": None, "e": 1}}
    assert differences(before, after) == [
        {"kind": "E", "path": ["a"], "lhs": 1, "rhs": 2},
        {"kind": "A", "path": ["b"], "index": 1, "item": {"kind": "D", "lhs": "y"}},
        {"kind": "N", "path": ["c", "e"], "rhs": 1},
    ]


def test_differences_of_snapshots() -> None:
    nothing: dict[str, Any] = {"collections": [], "fields": [], "systemFields": [], "relations": []}
    assert is_empty(diff_snapshots(REFERENCE, REFERENCE))
    made = diff_snapshots({**nothing, "systemFields": REFERENCE["systemFields"]}, REFERENCE)
    assert {part: len(made[part]) for part in made} == {
        "collections": 3,
        "fields": 16,
        "systemFields": 0,
        "relations": 3,
    }
    gone = diff_snapshots(REFERENCE, {**nothing, "systemFields": REFERENCE["systemFields"]})
    # What goes with its collection is not named, a custom field of a system collection is.
    assert [entry["field"] for entry in gone["fields"]] == ["shop_nick"]
    assert gone["relations"] == []


def test_a_field_between_alias_and_column_is_removed_and_made() -> None:
    fields = [
        {key: value for key, value in one.items() if key != "schema"} | {"type": "alias"}
        if (one["collection"], one["field"]) == ("shop_a", "c")
        else one
        for one in REFERENCE["fields"]
    ]
    found = diff_snapshots(REFERENCE, {**REFERENCE, "fields": fields})["fields"]
    assert [(one["field"], one["diff"][0]["kind"]) for one in found] == [("c", "D"), ("c", "N")]


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"directus": None},
        {"directus": "10.0.0"},
        {"vendor": "mysql"},
        {"vendor": None},
        {"vendor": "excel"},
        {"unknown": 1},
        {"collections": None},
        {"fields": {}},
        {"relations": [5]},
        {"fields": [{"collection": "a"}]},
    ],
)
def test_bad_snapshots(change: dict[str, Any]) -> None:
    check_snapshot(REFERENCE, force=False)
    with pytest.raises(InvalidPayload):
        check_snapshot({**REFERENCE, **change}, force=False)


def test_force_takes_other_versions() -> None:
    check_snapshot({**REFERENCE, "directus": "10.0.0", "vendor": "mysql"}, force=True)
    with pytest.raises(InvalidPayload):
        check_snapshot({}, force=True)


EMPTY: dict[str, Any] = {"collections": [], "fields": [], "systemFields": [], "relations": []}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"hash": "x"},
        {"diff": EMPTY},
        {"hash": "x", "diff": {**EMPTY, "systemFields": None}},
        {"hash": "x", "diff": {**EMPTY, "collections": [{"collection": "a"}]}},
        {"hash": "x", "diff": {**EMPTY, "collections": [{"collection": "a", "diff": [{"kind": "X"}]}]}},
        {"hash": "x", "diff": {**EMPTY, "collections": [{"collection": "a", "diff": [{"kind": "N"}]}]}},
        {"hash": "x", "diff": {**EMPTY, "collections": [{"collection": "a", "diff": [{"kind": "A"}]}]}},
    ],
)
def test_bad_diffs(body: Any) -> None:
    with pytest.raises(InvalidPayload):
        check_diff(body)


def test_the_hash_binds_a_diff_to_a_schema() -> None:
    check_applicable(REFERENCE, EMPTY, fingerprint(REFERENCE))
    new = {**EMPTY, "collections": [{"collection": "shop_a", "diff": [{"kind": "N", "rhs": {}}]}]}
    gone = {**EMPTY, "fields": [{"collection": "no", "field": "no", "diff": [{"kind": "D", "lhs": {}}]}]}
    for diff, named in ((new, "shop_a"), (gone, "no.no"), (EMPTY, "hash")):
        with pytest.raises(InvalidPayload, match=named):
            check_applicable(REFERENCE, diff, "another")


def _column(name: str, **members: Any) -> Column:
    return Column(name, members.pop("data_type", "integer"), "integer", "integer", **members)


def _collection(name: str, *columns: Column) -> Collection:
    fields = {one.name: Field(name, one.name, "integer", one) for one in columns}
    return Collection(name, CollectionKind.TABLE, table=name, fields=fields, primary_key=("id",))


TEXT = Column("t", "character varying", "character varying(20)", "character varying", max_length=20)
OWNER = _collection("a", _column("id", primary_key=True, nullable=False), TEXT)
T = Field("a", "t", "string", TEXT)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"type": "text"}, ColumnChanges()),
        ({"type": "text", "schema": {}}, ColumnChanges(type=ColumnType("text"))),
        ({"schema": {"max_length": 5}}, ColumnChanges(type=ColumnType("varchar", (5,)))),
        ({"schema": {"max_length": "20"}}, ColumnChanges()),
        ({"schema": wire_column(TEXT, T, OWNER)}, ColumnChanges()),
        ({"schema": {"is_nullable": False, "comment": "x"}}, ColumnChanges(nullable=False)),
        ({"schema": {"default_value": "x"}}, ColumnChanges(default_changed=True, default=Default("x"))),
        ({"schema": {"default_value": None}}, ColumnChanges()),
        ({"schema": {"is_unique": True, "is_indexed": False}}, ColumnChanges(unique=True)),
    ],
)
def test_changes_of_a_column(body: dict[str, Any], expected: ColumnChanges) -> None:
    assert column_changes(OWNER, T, body) == expected


def test_a_default_survives_another_type() -> None:
    column = replace(TEXT, default="'7'::character varying")
    body = {"type": "integer", "schema": {"default_value": "7"}}
    found = column_changes(OWNER, replace(T, column=column), body)
    assert found == ColumnChanges(type=ColumnType("integer"), keep_default=Default("7"))


def test_elements_of_arrays_may_be_anything_in_a_diff() -> None:
    element = {"kind": "A", "path": ["meta", "special"], "index": 1, "item": {"kind": "N", "rhs": "x"}}
    fields = [{"collection": "a", "field": "b", "diff": [element]}]
    parts: dict[str, Any] = {"collections": [], "fields": fields, "systemFields": [], "relations": []}
    assert check_diff({"hash": "h", "diff": parts})[1]["fields"] == fields


def _model() -> Model:
    relation = Relation(
        "books", "author", "people", meta=RelationMeta(1, "books", "author", "people", "books")
    )
    books = _collection("books", _column("id", primary_key=True), _column("author"), _column("name"))
    people = _collection("people", _column("id", primary_key=True), _column("name"))
    return Model(1, {"books": books, "people": people}, (relation,))


def test_filters_and_paths_follow_a_renamed_field() -> None:
    change = FieldName(_model(), "people", "name", "title")
    assert change.filter(
        "books", {"_or": [{"author": {"name": {"_eq": "name"}}}, {"name": {"_null": True}}]}
    ) == {"_or": [{"author": {"title": {"_eq": "name"}}}, {"name": {"_null": True}}]}
    assert change.filter(
        "people", {"year(name)": {"_eq": 1}, "books": {"_none": {"author": {"name": {}}}}}
    ) == {
        "year(title)": {"_eq": 1},
        "books": {"_none": {"author": {"title": {}}}},
    }
    assert change.paths("books", ["-author.name", "name", 5]) == ["-author.title", "name", 5]
    assert (
        change.template("people", "{{ name }}: {{books.author.name}}") == "{{title}}: {{books.author.title}}"
    )
    assert change.conditions("people", [{"rule": {"name": {"_eq": 1}}, "x": 1}]) == [
        {"rule": {"title": {"_eq": 1}}, "x": 1}
    ]
