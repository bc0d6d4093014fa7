"""How much sockets may take: so many connections of a kind, so much for the subscriptions of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import web

from domain.errors import InvalidPayload

MOST: Final = 1_000_000
"""What the subscriptions of one socket may hold together, in characters of their messages."""
EACH: Final = 1000
"""What a subscription counts besides its message: no more than a thousand of them."""


class Sockets:
    """The connections of one kind that this process has; ``limit`` None for any number."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._taken = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for one connection, from before its upgrade to its end.

        Raises:
            HTTPForbidden: when all are taken.
        """
        if self._limit is not None and self._taken >= self._limit:
            raise web.HTTPForbidden
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


def require_room(sizes: Iterable[int], more: int) -> None:
    """Whether a socket may keep a subscription of ``more`` characters beside those it has.

    Raises:
        InvalidPayload
    """
    if sum(sizes, 0) + more > MOST:
        raise InvalidPayload("The subscriptions of this socket are too many, or too large together")


def size_of(text: str) -> int:
    """What a subscription counts that was asked for by a message."""
    return EACH + len(text)
