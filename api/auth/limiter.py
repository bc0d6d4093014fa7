"""How many requests are taken: from one address, from everybody, and for registering."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta

from domain.errors import RequestsExceeded
from domain.settings import LimiterSettings
from projections.access.counters import Store

PURGE_SECONDS = 60.0


class Limiter:
    """Refuses what is too much. One per process; with the store `postgres` all of them count together."""

    def __init__(self, settings: LimiterSettings, counters: Store) -> None:
        self._settings = settings
        self._store = counters
        self._purged = time.monotonic()

    async def request(self, address: str | None) -> None:
        """Count a request of an address, or what is as good as one inside another.

        Raises:
            RequestsExceeded
        """
        given = self._settings
        if not given.enabled:
            return
        if given.global_enabled:
            await self._count("all", given.global_points, given.global_duration)
        await self._count(f"ip:{address}", given.points, given.duration)

    async def registration(self, address: str | None) -> None:
        """Count a registration from an address.

        Raises:
            RequestsExceeded
        """
        given = self._settings
        if given.registration_enabled:
            await self._count(f"register:{address}", given.registration_points, given.registration_duration)

    async def milliseconds(self) -> float:
        """How long counting takes just now."""
        began = time.perf_counter()
        await self._store.count("health", 1.0)
        return (time.perf_counter() - began) * 1000

    async def _count(self, name: str, points: int, seconds: int) -> None:
        if time.monotonic() - self._purged > PURGE_SECONDS:
            self._purged = time.monotonic()
            await self._store.purge()
        found = await self._store.count(name, seconds)
        if found.points > points:
            raise _exceeded(points, found.left)


class Budget:
    """The messages that one socket may send: as many as an address may send requests."""

    def __init__(self, settings: LimiterSettings) -> None:
        self._settings = settings
        self._points, self._ends = 0, 0.0

    def spend(self) -> None:
        """Count a message.

        Raises:
            RequestsExceeded
        """
        given, now = self._settings, time.monotonic()
        if not given.enabled:
            return
        if self._ends <= now:
            self._points, self._ends = 0, now + given.duration
        self._points += 1
        if self._points > given.points:
            raise _exceeded(given.points, self._ends - now)


def _exceeded(points: int, left: float) -> RequestsExceeded:
    reset = datetime.now(UTC) + timedelta(seconds=left)
    text = reset.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return RequestsExceeded(points, text, max(1, math.ceil(left)))
