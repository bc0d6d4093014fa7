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
        """Count a request of an address.

        Raises:
            RequestsExceeded
        """
        given = self._settings
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
        if found.points <= points:
            return
        reset = datetime.now(UTC) + timedelta(seconds=found.left)
        text = reset.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        raise RequestsExceeded(points, text, max(1, math.ceil(found.left)))
