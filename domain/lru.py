"""A mapping of bounded size that gives up what was not used for longest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lru(Generic[K, V]):
    """At most ``most`` entries; values are never None."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """What is kept of a key, which counts as its use."""
        found = self._kept.get(key)
        if found is not None:
            try:
                self._kept.move_to_end(key)
            except KeyError:
                # Another thread has made room.
                return found
        return found

    def put(self, key: K, value: V) -> None:
        """Keep a value; the entry unused for longest makes room."""
        self._kept[key] = value
        try:
            self._kept.move_to_end(key)
        except KeyError:
            return
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Give up all."""
        self._kept.clear()
