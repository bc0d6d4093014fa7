import pytest

from api.formats import FORMATS, csv, xml, yaml
from api.rest.exports import wanted_format
from domain.errors import InvalidQuery

ROWS = [
    {"id": 1, "title": 'A, "quoted"', "tags": ["x", "y"], "owner": {"name": "Ann"}, "ok": True},
    {"id": 2, "title": "B\nline", "tags": [], "owner": None, "ok": None},
]


def test_csv_columns_are_the_union_over_rows() -> None:
    assert csv.dump(ROWS) == (
        '"id","title","tags","owner.name","ok","owner"\n'
        '1,"A, ""quoted""","[""x"",""y""]","Ann",true,\n'
        '2,"B\nline","[]",,,'
    )


def test_csv_without_rows_is_empty() -> None:
    assert csv.dump([]) == ""


def test_xml_repeats_elements_for_lists() -> None:
    text = xml.dump([{"a": [1, 2], "b": {"c": None}, "d": "<&"}])
    assert text == (
        "<?xml version='1.0'?>\n<data>\n    <data>\n        <a>1</a>\n        <a>2</a>\n"
        "        <b>\n            <c>null</c>\n        </b>\n        <d>&lt;&amp;</d>\n    </data>\n</data>"
    )


def test_xml_of_one_item_has_its_fields_under_the_root() -> None:
    assert xml.dump({"id": 1}) == "<?xml version='1.0'?>\n<data>\n    <id>1</id>\n</data>"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain text", "plain text"),
        ("", "''"),
        ("yes", "'yes'"),
        ("12", "'12'"),
        ("2024-01-01", "'2024-01-01'"),
        ("null", "'null'"),
        ("a: b", "'a: b'"),
        ("- a", "'- a'"),
        ("it's", "it's"),
        ("#x", "'#x'"),
        ("tab\x07", '"tab\\u0007"'),
        ("two\nlines", "|-\n    two\n    lines"),
        ("ends\n", "|\n    ends"),
    ],
)
def test_yaml_quotes_what_would_be_misread(value: str, text: str) -> None:
    assert yaml.dump([{"a": value}]) == f"- a: {text}\n"


def test_yaml_nests_by_two() -> None:
    assert yaml.dump([{"a": {"b": [1, {"c": None}]}, "d": [], "e": {}}]) == (
        "- a:\n    b:\n      - 1\n      - c: null\n  d: []\n  e: {}\n"
    )


def test_yaml_folds_long_lines() -> None:
    text = yaml.dump({"a": " ".join(["word"] * 30)})
    assert text.startswith("a: >-\n  word")
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_format_comes_from_query_string_or_body() -> None:
    assert wanted_format("fields=export_date") is None
    assert wanted_format("limit=1&export=csv") is FORMATS["csv"]
    assert wanted_format({"export": "yaml"}) is FORMATS["yaml"]
    for bad in ("export=pdf", "export="):
        with pytest.raises(InvalidQuery):
            wanted_format(bad)
