"""The mapping behind the caches."""

from __future__ import annotations

from domain.lru import Lru


def test_what_was_used_last_stays() -> None:
    kept: Lru[str, int] = Lru(2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert [kept.get(key) for key in "abc"] == [1, None, 3]
    kept.put("a", 4)
    kept.put("d", 5)
    assert [kept.get(key) for key in "acd"] == [4, None, 5]


def test_entries_may_weigh_differently() -> None:
    kept: Lru[str, int] = Lru(80)
    for number, name in enumerate("abcdefghi"):
        kept.put(name, number, 9)
    assert [kept.get(key) for key in "abi"] == [None, 1, 8]
    kept.put("b", 2, 2)
    kept.put("j", 9, 7)
    assert [kept.get(key) for key in "bcdj"] == [2, 2, 3, 9]
    # What would cost most others their place is not kept.
    kept.put("k", 10, 11)
    assert kept.get("k") is None
    kept.clear()
    kept.put("l", 11, 10)
    assert kept.get("l") == 11
