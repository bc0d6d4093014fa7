import pytest

from api.rest.imports import rows_of_csv, rows_of_json, value_of
from domain.errors import InvalidPayload
from projections.tables.importing import spans


def test_csv_cells() -> None:
    rows = list(rows_of_csv('﻿ a , b.c,d\n007,true,"[1, 2]"\n\n,x,\n'.encode()))
    assert rows == [{"a": "007", "b": {"c": True}, "d": [1, 2]}, {"b": {"c": "x"}}]


@pytest.mark.parametrize(
    ("cell", "value"), [("null", None), ("1.50", "1.50"), ("nope", "nope"), ('{"a":1}', {"a": 1})]
)
def test_what_a_cell_says(cell: str, value: object) -> None:
    assert value_of(cell) == value


@pytest.mark.parametrize("content", [b"{}", b"[1]", b"[{}", b"", b"\xff"])
def test_what_is_no_array_of_objects(content: bytes) -> None:
    with pytest.raises(InvalidPayload):
        rows_of_json(content)


@pytest.mark.parametrize("content", [b"\xff\xfe", b'a\n"open', b"a\n1,2"])
def test_broken_csv(content: bytes) -> None:
    with pytest.raises(InvalidPayload):
        list(rows_of_csv(content))


def test_four_rows_in_a_row_are_a_range() -> None:
    assert spans([1, 2, 4, 5, 6, 7]) == [
        {"type": "range", "start": 4, "end": 7},
        {"type": "lines", "rows": [1, 2]},
    ]
    assert spans([1, 2, 3]) == [{"type": "lines", "rows": [1, 2, 3]}]
