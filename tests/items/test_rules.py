"""Validation rules on payloads: each operator's failure as the wire reports it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from domain.access.caller import Caller
from domain.items.dynamic import resolved
from domain.items.rules import failures


def found(rule: Any, value: Any) -> list[dict[str, Any]]:
    entries = [error.extensions for error in failures({"f": rule}, {"f": value}, ["p"])]
    assert all(entry["field"] == "f" and entry["path"] == ["p"] for entry in entries)
    return [{name: entry[name] for name in entry if name not in ("field", "path")} for entry in entries]


@pytest.mark.parametrize(
    ("rule", "value", "failure"),
    [
        ({"_eq": "a"}, "b", {"type": "eq", "valid": "a"}),
        ({"_eq": "a"}, None, {"type": "eq", "valid": "a"}),
        ({"_eq": 5}, 6, {"type": "in", "valid": [5, "5"]}),
        ({"_eq": "5"}, 6, {"type": "in", "valid": [5, "5"]}),
        ("a", "b", {"type": "eq", "valid": "a"}),
        ({"_neq": "a"}, "a", {"type": "neq", "invalid": "a"}),
        ({"_neq": 5}, "5", {"type": "nin", "invalid": [5, "5"]}),
        ({"_in": ["a", "b"]}, "z", {"type": "in", "valid": ["a", "b"]}),
        ({"_in": ["a"]}, "z", {"type": "eq", "valid": "a"}),
        ({"_nin": ["a", "b"]}, "b", {"type": "nin", "invalid": ["a", "b"]}),
        ({"_nin": ["a"]}, "a", {"type": "neq", "invalid": "a"}),
        ({"_gte": 18}, 10, {"type": "gte", "valid": 18}),
        ({"_gt": 18}, "18", {"type": "gt", "valid": 18}),
        ({"_lt": 100}, 100, {"type": "lt", "valid": 100}),
        ({"_lte": "2024-01-01"}, "2024-01-02", {"type": "lte", "valid": "2024-01-01T00:00:00.000Z"}),
        ({"_gte": 18}, "x", {"type": "required"}),
        ({"_gte": 18}, None, {"type": "required"}),
        ({"_between": [1, 5]}, 0, {"type": "gte", "valid": 1}),
        ({"_between": [1, 5]}, 6, {"type": "lte", "valid": 5}),
        ({"_nbetween": [1, 5]}, 3, {"type": "lt", "valid": 1}),
        ({"_contains": "x"}, "abc", {"type": "contains", "substring": "x"}),
        ({"_icontains": "x"}, "abc", {"type": "contains", "substring": "x"}),
        ({"_contains": "x"}, ["ab"], {"type": "contains", "substring": "x"}),
        ({"_contains": "x"}, 5, {"type": "required"}),
        ({"_ncontains": "b"}, "abc", {"type": "ncontains", "substring": "b"}),
        ({"_starts_with": "b"}, "abc", {"type": "starts_with", "substring": "b"}),
        ({"_nistarts_with": "A"}, "abc", {"type": "nistarts_with", "substring": "A"}),
        ({"_ends_with": "b"}, "abc", {"type": "ends_with", "substring": "b"}),
        ({"_niends_with": "C"}, "abc", {"type": "niends_with", "substring": "C"}),
        ({"_null": True}, 1, {"type": "null"}),
        ({"_nnull": True}, None, {"type": "nnull"}),
        ({"_null": False}, None, {"type": "nnull"}),
        ({"_empty": True}, None, {"type": "empty"}),
        ({"_nempty": True}, "", {"type": "nempty"}),
        ({"_regex": "^[^@]+@[^@]+$"}, "nope", {"type": "regex", "invalid": "nope"}),
        ({"_regex": "/^a/"}, "ba", {"type": "regex", "invalid": "ba"}),
    ],
)
def test_failures(rule: Any, value: Any, failure: dict[str, Any]) -> None:
    assert found(rule, value) == [failure]


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"_eq": 5}, "5"),
        ({"_eq": None}, None),
        ({"_neq": "a"}, None),
        ({"_gt": 18}, "19"),
        ({"_gt": "2024-01-01"}, "2024-01-01T00:00:01Z"),
        ({"_between": [1, 5]}, 5),
        ({"_nbetween": [1, 5]}, 6),
        ({"_contains": "x"}, ["ab", "axb"]),
        ({"_icontains": "B"}, "abc"),
        ({"_iends_with": "BC"}, "abc"),
        ({"_empty": True}, ""),
        ({"_nempty": True}, None),
        ({"_regex": "/^a(?<rest>.)/"}, "ab"),
        ({"_submitted": True}, None),
    ],
)
def test_passes(rule: Any, value: Any) -> None:
    assert found(rule, value) == []


def test_absent_members_meet_everything_but_submitted() -> None:
    assert failures({"f": {"_eq": 1, "_nnull": True, "_regex": "x"}}, {}) == []
    [error] = failures({"f": {"_submitted": True}}, {})
    assert error.extensions == {"field": "f", "path": [], "type": "required"}


def test_or_reports_all_branches_and_and_each() -> None:
    rules = [{"f": {"_eq": "a"}}, {"f": {"_starts_with": "b"}}]
    assert failures({"_or": rules}, {"f": "bc"}) == []
    assert [error.extensions["type"] for error in failures({"_or": rules}, {"f": "x"})] == [
        "eq",
        "starts_with",
    ]
    assert [error.extensions["type"] for error in failures({"_and": rules}, {"f": "x"})] == [
        "eq",
        "starts_with",
    ]


def test_functions_of_members() -> None:
    [error] = failures({"year(f)": {"_gte": 2024}}, {"f": "2023-05-06"})
    assert error.extensions == {"field": "f", "path": [], "type": "gte", "valid": 2024}
    assert failures({"year(f)": {"_gte": 2024}}, {}) == []
    assert failures({"count(f)": {"_lte": 2}}, {"f": [1, 2]}) == []


def test_members_of_nested_objects() -> None:
    [error] = failures({"author": {"name": {"_nnull": True}}}, {"author": {"name": None}})
    assert error.extensions == {"field": "name", "path": ["author"], "type": "nnull"}
    assert failures({"author": {"name": {"_nnull": True}}}, {"author": 5}) == []


def test_variables() -> None:
    caller = Caller(user=UUID(int=7), roles=(UUID(int=1), UUID(int=2)))
    rule = {
        "a": {"_eq": "$CURRENT_USER"},
        "b": {"_in": ["$CURRENT_ROLES", "x"]},
        "c": {"_lt": "$NOW(-1 day)"},
    }
    made = resolved(rule, caller)
    assert made["a"] == {"_eq": str(UUID(int=7))}
    assert made["b"] == {"_in": [str(UUID(int=1)), str(UUID(int=2)), "x"]}
    moment = datetime.fromisoformat(made["c"]["_lt"])
    assert 86399 < (datetime.now(UTC) - moment).total_seconds() < 86460
