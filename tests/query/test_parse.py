from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import ActaError, InvalidQuery
from domain.query.filters import EVERYTHING, All, AnyOf, Condition, Quantified, parse_filter
from domain.query.limits import QueryLimits
from domain.query.parse import number, parse_query, split_list, split_path
from domain.query.query import Query, Sort

LIMITS = QueryLimits()


def parsed(**raw: Any) -> Query:
    return parse_query(raw, LIMITS)


def test_nothing_asked_for() -> None:
    query = parsed()
    assert query.fields == (("*",),)
    assert query.root.limit == LIMITS.default
    assert query.root.filter is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a,b.c", (("a",), ("b", "c"))),
        (["a", "b,c"], (("a",), ("b",), ("c",))),
        (" a , b ", (("a",), ("b",))),
        ("", (("*",),)),
        ("json(a, b.c[0]),year(x.d)", (("json(a, b.c[0])",), ("year(x.d)",))),
        ("a,a", (("a",),)),
        ("m.item:x.f", (("m", "item:x", "f"),)),
    ],
)
def test_fields(given: Any, expected: Any) -> None:
    assert parsed(fields=given).fields == expected


@pytest.mark.parametrize(
    "raw",
    [
        {"fields": "a,,b"},
        {"fields": 5},
        {"fields": {"0": "a"}},
        {"fields": ["a", 5]},
        {"fields": "a.b.c.d.e.f.g.h.i.j.k"},
        {"sort": "a.b.c.d.e.f.g.h.i.j.k"},
        {"limit": "abc"},
        {"limit": "-5"},
        {"limit": "1.5"},
        {"limit": ["1", "2"]},
        {"limit": True},
        {"limit": 1e300},
        {"offset": "-1"},
        {"offset": str(2**70)},
        {"page": "-1"},
        {"filter": "{bad"},
        {"filter": "5"},
        {"filter": {"_eq": 1}},
        {"filter": {"a": {"_like": "x"}}},
        {"filter": {"a": {"_eq": ""}}},
        {"filter": {"a": {"_eq": {"b": {"_eq": [1]}}}}},
        {"filter": {"a": {"_eq": 2**53}}},
        {"filter": {"a": {"_in": []}}},
        {"filter": {"a": {"_null": "x"}}},
        {"filter": {"a": {"_intersects": "x"}}},
        {"filter": {"_and": {"a": 1}}},
        {"filter": {"_some": {"a": 1}}},
        {"filter": {"a": {"_eq": "\x00"}}},
        {"filter": "NaN"},
        {"alias": {"a.b": "c"}},
        {"alias": {"a": "b.c"}},
        {"alias": {"a": 5}},
        {"alias": "[]"},
        {"aggregate": {"foo": "a"}},
        {"aggregate": "x"},
        {"aggregate": {"count": ""}},
        {"groupBy": "a,,b"},
        {"meta": "x"},
        {"meta": "total_count, filter_count"},
        {"export": "pdf"},
        {"version": ["a", "b"]},
        {"deep": {"a": {"_limit": "x"}}},
        {"deep": {"a": {"_limit": -5}}},
        {"deep": {"a": {"_filter": {"b": {"_what": 1}}}}},
        {"search": "a\x00b"},
    ],
)
def test_what_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(InvalidQuery):
        parse_query(raw, LIMITS)


def test_numbers_in_all_their_notations() -> None:
    assert parsed(limit="").root.limit == 0
    assert parsed(limit="1e1").root.limit == 10
    assert parsed(limit=" 7 ").root.limit == 7
    assert parsed(limit=-1).root.limit == -1
    assert [number(text) for text in ("0x10", "1.5", "x", "-.5", "1e999")] == [16, 1.5, None, -0.5, None]


def test_the_maximum_binds_only_requests_that_ask() -> None:
    limits = QueryLimits(default=100, maximum=50)
    assert parse_query({}, limits).root.limit == 100
    assert limits.rows(parse_query({"sort": "a"}, limits).root.limit) == 50
    assert limits.rows(parse_query({"limit": "-1"}, limits).root.limit) == 50
    with pytest.raises(InvalidQuery):
        parse_query({"limit": "51"}, limits)


def test_sort_and_search() -> None:
    assert parsed(sort="-a.b,c").root.sort == (Sort(("a", "b"), descending=True), Sort(("c",)))
    assert parsed(search=" x ").root.search == "x"
    assert parsed(search="  ").root.search == "  "
    assert parsed(search=["x"]).root.search is None
    assert parsed(search="").root.search is None


def test_deep_descends_and_ignores_what_it_does_not_know() -> None:
    levels = parsed(deep='{"a":{"_limit":3,"_fields":["x"],"b":{"_sort":"-c"},"x":5},"y":1}').root.levels
    assert levels["a"].limit == 3
    assert levels["a"].levels["b"].sort == (Sort(("c",), descending=True),)
    assert set(levels) == {"a"}
    assert parsed(deep="{bad").root.levels == {}


def test_aggregate_and_group() -> None:
    query = parsed(aggregate={"count": "*", "sum": ["a", "b"]}, groupBy="year(d),c")
    assert query.aggregate == (("count", ("*",)), ("sum", ("a", "b")))
    assert query.group == ("year(d)", "c")


def test_meta_version_and_switches() -> None:
    query = parsed(meta="*", version="draft", versionRaw="", backlink="false")
    assert query.meta == ("total_count", "filter_count")
    assert (query.version, query.version_raw, query.backlink) == ("draft", True, False)


def test_splitting_leaves_parentheses_alone() -> None:
    assert split_list("a,json(b, c),d") == ["a", "json(b, c)", "d"]
    assert split_path("a.json(b, c.d)") == ("a", "json(b, c.d)")


# -- filters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({}, EVERYTHING),
        ({"_and": []}, EVERYTHING),
        ({"_or": []}, EVERYTHING),
        ({"_or": [{"a": 1}, {}]}, EVERYTHING),
        ({"a": 5}, Condition(("a",), "_eq", 5)),
        ({"a": {"_gt": 1, "_lt": 4}}, All((Condition(("a",), "_gt", 1), Condition(("a",), "_lt", 4)))),
        ({"a": {"b": {"_in": "1,2"}}}, Condition(("a", "b"), "_in", ("1", "2"))),
        ({"a": {"_in": {"0": 1, "1": 2}}}, Condition(("a",), "_in", (1, 2))),
        ({"a": {"_between": [1]}}, EVERYTHING),
        ({"a": "true"}, Condition(("a",), "_eq", True)),
        ({"a": {"_neq": "NULL"}}, Condition(("a",), "_neq", None)),
        ({"a": {"_null": ""}}, Condition(("a",), "_null", True)),
        ({"a": {"_some": {}}}, EVERYTHING),
        ({"a": {"_none": {"b": 1}}}, Quantified(("a",), "_none", Condition(("b",), "_eq", 1))),
        ([1, 2], All((Condition(("0",), "_eq", 1), Condition(("1",), "_eq", 2)))),
        (
            {"a": {"_or": [{"b": 1}, {"c": 2}]}},
            AnyOf((Condition(("a", "b"), "_eq", 1), Condition(("a", "c"), "_eq", 2))),
        ),
    ],
)
def test_filters(raw: Any, expected: Any) -> None:
    assert parse_filter(raw) == expected


def test_stored_rules_may_hold_what_variables_have_become() -> None:
    assert parse_filter({"a": {"_in": []}}, trusted=True) == Condition(("a",), "_in", ())
    assert parse_filter({"a": {"_eq": ""}}, trusted=True) == Condition(("a",), "_eq", "")
    with pytest.raises(InvalidQuery):
        parse_filter({"a": {"_in": []}})


def test_endless_nesting_is_refused() -> None:
    raw: Any = {"a": 1}
    for _ in range(5000):
        raw = {"_and": [raw]}
    with pytest.raises(InvalidQuery, match="nested"):
        parse_filter(raw)


WORDS = st.sampled_from(
    ["a", "b", "_and", "_or", "_some", "_none", "_eq", "_in", "_null", "_between", "_x", "a.b", "year(a)"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
PARAMETERS = st.sampled_from(
    [
        "fields",
        "filter",
        "sort",
        "limit",
        "offset",
        "page",
        "search",
        "deep",
        "aggregate",
        "groupBy",
        "alias",
        "meta",
        "export",
        "version",
        "backlink",
        "after",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(PARAMETERS, VALUES, max_size=5))
def test_any_parameters_parse_or_are_refused(raw: dict[str, Any]) -> None:
    try:
        parse_query(raw, LIMITS)
    except ActaError as error:
        refused = error
    else:
        return
    assert refused.status in (400, 403)
    assert refused.message
