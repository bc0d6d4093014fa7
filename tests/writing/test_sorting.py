from collections.abc import Sequence

import pytest

from domain.errors import Forbidden
from projections.tables.sorting import moved

FIVE = [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)]


def order(placed: Sequence[tuple[str, int | None]], changed: dict[str, int]) -> str:
    positions = {**dict(placed), **changed}
    return "".join(sorted(positions, key=lambda key: positions[key] or 0))


@pytest.mark.parametrize(
    ("item", "to", "expected"),
    [("a", "d", "bcdae"), ("e", "b", "aebcd"), ("c", "c", "abcde"), ("a", "b", "bacde")],
)
def test_rows_between_move_by_one(item: str, to: str, expected: str) -> None:
    assert order(FIVE, moved(FIVE, item, to)) == expected


def test_only_rows_that_move_are_written() -> None:
    assert moved(FIVE, "b", "c") == {"b": 3, "c": 2}
    assert moved(FIVE, "c", "c") == {}


def test_rows_without_a_position_stand_last() -> None:
    placed = [("a", 3), ("b", None), ("c", None)]
    assert moved(placed, "c", "a") == {"a": 4, "b": 5, "c": 3}


def test_repeated_positions_are_numbered_anew() -> None:
    placed = [("a", 1), ("b", 1), ("c", 7)]
    assert order(placed, moved(placed, "c", "a")) == "cab"


def test_unknown_items_are_refused() -> None:
    for item, to in (("x", "a"), ("a", "x")):
        with pytest.raises(Forbidden):
            moved(FIVE, item, to)
