"""Small variants that were asked for lately, kept in memory.

A variant's name covers operations and contents, so what a name stands for never changes; who may see it is
decided by its file's row, each time anew.
"""

from __future__ import annotations

from collections import OrderedDict

MOST_BYTES = 32 * 1024 * 1024


class Recent:
    """Bytes by location and path, the least recently used given up first."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def get(self, location: str, path: str) -> bytes | None:
        """What is kept of an object."""
        found = self._kept.get((location, path))
        if found is not None:
            self._kept.move_to_end((location, path))
        return found

    def put(self, location: str, path: str, content: bytes) -> None:
        """Keep an object; one that takes up much of the room is not."""
        if len(content) > self._most // 64 or (location, path) in self._kept:
            return
        self._kept[(location, path)] = content
        self._size += len(content)
        while self._size > self._most:
            _, given_up = self._kept.popitem(last=False)
            self._size -= len(given_up)
