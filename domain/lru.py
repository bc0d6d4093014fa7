"""A mapping of bounded size that gives up what was not used for longest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

SHARE: Final = 8
"""An entry that takes more than this part of the whole would cost all others their place."""


class Lru(Generic[K, V]):
    """Entries that weigh at most ``most`` together; values are never None.

    What entries weigh is up to the user: 1 each, or about the bytes they take where that is up to clients.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._weight = 0
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._weights: dict[K, int] = {}

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

    def put(self, key: K, value: V, weight: int = 1) -> None:
        """Keep a value; the entries unused for longest make room. What is too heavy is not kept."""
        if 1 < weight > self._most // SHARE:
            return
        self._weight += weight - self._weights.get(key, 0)
        self._weights[key] = weight
        self._kept[key] = value
        try:
            self._kept.move_to_end(key)
            while self._weight > self._most:
                oldest, _ = self._kept.popitem(last=False)
                self._weight -= self._weights.pop(oldest, 0)
        except KeyError:
            return

    def clear(self) -> None:
        """Give up all."""
        self._kept.clear()
        self._weights.clear()
        self._weight = 0
