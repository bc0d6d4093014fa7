from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.query.text import parse_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("limit=5&sort=-a", {"limit": "5", "sort": "-a"}),
        ("filter[a][_eq]=1", {"filter": {"a": {"_eq": "1"}}}),
        ("filter%5Ba%5D%5B_eq%5D=x%26y", {"filter": {"a": {"_eq": "x&y"}}}),
        ("fields[]=a&fields[]=b", {"fields": ["a", "b"]}),
        ("fields[1]=b&fields[0]=a", {"fields": ["a", "b"]}),
        ("fields=a&fields=b", {"fields": ["a", "b"]}),
        ("limit=1&limit=2", {"limit": ["1", "2"]}),
        ("a[x]=1&a[0]=2", {"a": {"x": "1", "0": "2"}}),
        ("f[_or][0][id][_eq]=1&f[_or][1][id]=5", {"f": {"_or": [{"id": {"_eq": "1"}}, {"id": "5"}]}}),
        ("search=a+b", {"search": "a b"}),
        ("empty=&flag", {"empty": "", "flag": ""}),
        ("a[b=1", {"a": {"[b": "1"}}),
        ("[a]=1", {"[a]": "1"}),
        ("=1", {}),
    ],
)
def test_notations(text: str, expected: dict[str, Any]) -> None:
    assert parse_text(text) == expected


def test_brackets_beyond_the_limit_are_one_literal_key() -> None:
    assert parse_text("a[b][c][d][e]=1", brackets=2) == {"a": {"b": {"c": {"[d][e]": "1"}}}}


def test_lists_beyond_the_limit_are_objects_keyed_by_index() -> None:
    text = "&".join(f"a[]={number}" for number in range(4))
    assert parse_text(text, elements=4) == {"a": ["0", "1", "2", "3"]}
    assert parse_text(text, elements=3) == {"a": {"0": "0", "1": "1", "2": "2", "3": "3"}}
    assert parse_text("a[501]=x") == {"a": {"501": "x"}}


def test_an_index_of_thousands_of_digits_is_a_name() -> None:
    assert parse_text(f"a[{'9' * 5000}]=x") == {"a": {"9" * 5000: "x"}}


def test_a_gap_in_the_indices_closes() -> None:
    assert parse_text("a[3]=x&a[7]=y") == {"a": ["x", "y"]}


@given(st.text(max_size=200))
def test_no_text_breaks_the_parser(text: str) -> None:
    assert isinstance(parse_text(text), dict)


@given(st.lists(st.tuples(st.text("ab[]0%=&", max_size=12), st.text(max_size=4)), max_size=12))
def test_no_brackets_break_the_parser(pairs: list[tuple[str, str]]) -> None:
    parsed = parse_text("&".join(f"{name}={value}" for name, value in pairs))
    assert all(isinstance(name, str) for name in parsed)
