"""Answers under the names of their fields, as filters of reads see them, and back."""

from __future__ import annotations

from typing import Any

import pytest

from api.graphql.shown import Names
from domain.query.query import AnyRelated, Functions, Members, Named, Parameters, Plain, Related

AUTHOR = (Plain("n", "name"),)
FIRST, SECOND = Parameters(limit=1), Parameters(limit=2)
CASES: list[tuple[Members, dict[str, Any], dict[str, Any]]] = [
    ((Plain("x", "a"), Plain("y", "a"), Plain("a", "b")), {"x": 1, "y": 1, "a": 2}, {"a": 1, "b": 2}),
    ((Named("kind", "notes"), Plain("x", "a")), {"kind": "notes", "x": 1}, {"__typename": "notes", "a": 1}),
    (
        (Functions("x", "made", (("z", "year"), ("y", "year"))),),
        {"x": {"z": 5, "y": 5}},
        {"made_func": {"year": 5}},
    ),
    (
        (Related("x", "books", AUTHOR, FIRST), Related("y", "books", AUTHOR, SECOND)),
        {"x": [{"n": 1}], "y": [{"n": 1}, {"n": 2}]},
        {"books": [{"name": 1}], "books_": [{"name": 1}, {"name": 2}]},
    ),
    (
        (
            AnyRelated(
                "x",
                "item",
                (("a", (*AUTHOR, Named("k", "a"))), ("b", (Plain("t", "title"), Named("k", "b")))),
            ),
        ),
        {"x": {"t": 1, "k": "b"}},
        {"item": {"title": 1, "__typename": "b"}},
    ),
    ((Related("x", "author", AUTHOR),), {"x": None}, {"author": None}),
]


@pytest.mark.parametrize(("members", "answer", "record"), CASES)
def test_there_and_back(members: Members, answer: dict[str, Any], record: dict[str, Any]) -> None:
    names = Names(members)
    assert names.fields(answer) == record
    assert names.answer(record) == answer


def test_what_is_taken_away_is_null_and_what_is_added_is_not_sent() -> None:
    names = Names((Plain("x", "a"), Plain("y", "a"), Named("kind", "notes")))
    assert names.answer({"more": 1}) == {"x": None, "y": None, "kind": "notes"}


def test_an_item_of_another_kind_has_its_own_names() -> None:
    branches = (("a", (Plain("t", "name"),)), ("b", (Plain("u", "name"),)))
    names = Names((AnyRelated("item", "item", branches),))
    assert names.fields({"item": {"u": 1}}) == {"item": {"name": 1, "__typename": "b"}}
    assert names.answer({"item": {"name": 2, "__typename": "b"}}) == {"item": {"u": 2}}
    assert names.answer({"item": {"name": 2}}) == {"item": None}


def test_one_name_in_two_kinds_of_items_hides_nothing_from_a_filter() -> None:
    branches = (("a", (Plain("x", "secret"),)), ("b", (Plain("x", "title"),)))
    names = Names((AnyRelated("item", "item", branches),))
    record = names.fields({"item": {"x": "s"}})
    assert record == {"item": {"secret": "s", "title": "s", "__typename": "a,b"}}
    assert names.answer(record) == {"item": {"x": "s"}}
    for changed in ({"secret": None}, {"title": None}):
        assert names.answer({"item": {**record["item"], **changed}}) == {"item": {"x": None}}
