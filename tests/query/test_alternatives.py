"""Rules that are alternatives, as one filter with less in it."""

from typing import Any

import pytest

from domain.query.alternatives import united
from domain.query.filters import parse_filter

PUBLISHED = {"status": {"_eq": "published"}}


def by(author: int) -> dict[str, Any]:
    return {"author": {"id": {"_eq": author}}}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([PUBLISHED, {}], None),
        ([PUBLISHED, {"_and": [PUBLISHED, by(1)]}], PUBLISHED),
        ([{"_and": [by(2), PUBLISHED]}, {"_or": [PUBLISHED, by(1)]}], {"_or": [PUBLISHED, by(1)]}),
        ([by(1), by(2), by(1)], {"author": {"id": {"_in": [1, 2]}}}),
        (
            [{"_and": [PUBLISHED, by(1)]}, {"_and": [PUBLISHED, by(2)]}],
            {"_and": [PUBLISHED, {"author": {"id": {"_in": [1, 2]}}}]},
        ),
        ([{"n": {"_in": [1, 2]}}, {"n": {"_eq": 3}}], {"n": {"_in": [1, 2, 3]}}),
        ([{"n": {"_in": []}}, {"n": {"_eq": 3}}], {"n": {"_in": [3]}}),
        # A variable may be null, and null is not a member of any list.
        ([{"n": {"_eq": "$CURRENT_USER"}}, {"n": {"_eq": 3}}], "same"),
        ([{"n": {"_eq": None}}, {"n": {"_eq": 3}}], "same"),
        ([{"n": {"_lt": 1}}, {"n": {"_lt": 3}}], "same"),
        # Some of the related rows: which one may differ between the two.
        ([{"a": {"_some": by(1)}}, {"a": {"_some": by(2)}}], "same"),
    ],
)
def test_united(rules: list[Any], expected: Any) -> None:
    found = united([parse_filter(rule, trusted=True) for rule in rules])
    if expected == "same":
        expected = {"_or": rules}
    assert found == (None if expected is None else parse_filter(expected, trusted=True))


def test_no_rule_is_no_row() -> None:
    assert united([]) != united([None])
