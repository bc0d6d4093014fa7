from typing import Any

import pytest

from api.batch import delete_batch, read_batch, update_batch
from api.bodies import parse_json
from domain.errors import Forbidden, InvalidPayload
from domain.model.keys import key_text


@pytest.mark.parametrize(
    "raw",
    [
        b"5",
        b'"text"',
        b"null",
        b"true",
        b"{",
        b"[1,]",
        b'{"a": NaN}',
        b'{"a": "\xff"}',
        b" ",
        b'{"a":"x\x00"}',
    ],
)
def test_what_is_no_json_body(raw: bytes) -> None:
    with pytest.raises(InvalidPayload):
        parse_json(raw)


def test_nul_characters_are_refused_wherever_they_stand() -> None:
    for raw in (b'{"a": "x\\u0000"}', b'{"\\u0000": 1}', b'[{"a": [{"b": "\\u0000"}]}]'):
        with pytest.raises(InvalidPayload):
            parse_json(raw)


def test_an_escaped_backslash_before_u0000_is_plain_text() -> None:
    assert parse_json(b'{"a": "\\\\u0000"}') == {"a": "\\u0000"}


def test_deep_nesting_is_an_error_and_no_crash() -> None:
    with pytest.raises(InvalidPayload):
        parse_json(b"[" * 100_000)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": {}},
        {"keys": [1], "query": {}, "data": {}},
        {"keys": [1]},
        {"keys": [1], "data": {}, "more": 1},
        {"keys": 1, "data": {}},
        {"keys": [{}], "data": {}},
        {"keys": [True], "data": {}},
        {"keys": [None], "data": {}},
        {"query": [], "data": {}},
        {"keys": [1], "data": [1]},
        [],
    ],
)
def test_bodies_that_select_nothing_definite_are_refused(body: object) -> None:
    with pytest.raises(InvalidPayload):
        update_batch(body)


def test_one_change_for_many() -> None:
    assert update_batch({"keys": [1, "a", 2.0], "data": {"x": 1}}).keys == ["1", "a", "2"]
    assert update_batch({"query": {"limit": -1}, "data": {}}).query == {"limit": -1}


def test_deletions_by_array_keys_or_query() -> None:
    assert delete_batch([1, "b"]).keys == ["1", "b"]
    assert delete_batch({"keys": []}).keys == []
    assert delete_batch({"query": {}}).query == {}
    bodies: tuple[Any, ...] = ({}, {"keys": [], "query": {}}, {"data": {}, "keys": []}, "x")
    for body in bodies:
        with pytest.raises(InvalidPayload):
            delete_batch(body)


def test_search_takes_query_keys_both_or_neither() -> None:
    assert read_batch({}).keys is None
    assert read_batch({"query": {"limit": 1}, "keys": [3]}).keys == ["3"]
    with pytest.raises(InvalidPayload):
        read_batch([])


@pytest.mark.parametrize("key", [None, True, {}, [1]])
def test_what_can_not_be_a_key(key: object) -> None:
    with pytest.raises(Forbidden):
        key_text(key)
