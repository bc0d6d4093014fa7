"""Whether the storages answer: a small object is written to each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from api.keys import LIBRARY, SETTINGS
from services.storage.base import Storage, StorageError

NAME = ".health/acta"
PATIENCE_SECONDS = 5.0
KEPT_SECONDS = 2.0
"""Anybody may ask for the health of the server; a storage is not written to more often than this."""


class StorageHealth:
    """The checks of all storages, kept for a moment."""

    def __init__(self) -> None:
        self._at = float("-inf")
        self._found: dict[str, dict[str, Any]] = {}
        self._turn = asyncio.Lock()

    async def checks(self, app: web.Application) -> dict[str, dict[str, Any]]:
        """One check for each storage, by the name it has in the answer."""
        async with self._turn:
            if time.monotonic() - self._at > KEPT_SECONDS:
                names = app[SETTINGS].storage.locations
                found = await asyncio.gather(*(_check(app, name) for name in names))
                self._found = {
                    f"storage:{name}:responseTime": check for name, check in zip(names, found, strict=True)
                }
                self._at = time.monotonic()
            return self._found


async def _check(app: web.Application, name: str) -> dict[str, Any]:
    threshold = app[SETTINGS].storage.locations[name].health_threshold
    began = time.perf_counter()
    status, output = "ok", {}
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _write(app[LIBRARY].objects.storage(name))
    except (StorageError, TimeoutError) as error:
        status, output = "error", {"output": str(error) or "no answer"}
    milliseconds = round((time.perf_counter() - began) * 1000, 3)
    if status == "ok" and milliseconds > threshold:
        status = "warn"
    return {
        "status": status,
        "componentType": "objectstore",
        "observedUnit": "ms",
        "observedValue": milliseconds,
        "threshold": threshold,
        **output,
    }


async def _write(storage: Storage) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"check"

    await storage.write(NAME, content())
