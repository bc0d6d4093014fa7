"""The sealer as a running thing: one per database, whichever process gets the lock; the others stand by.

While events come it seals every 50 ms, less often when a batch takes long, so that under load it takes a
bounded share of the machine; while none come it looks a few times a second, which costs one index probe.
"""

from __future__ import annotations

import asyncio
import logging
import time

import psycopg

from domain.errors import ServiceUnavailable
from projections.database import Connection, Database
from projections.log.prepare import PARTITION_EVENTS, extend
from projections.log.seal import Sealer
from workers.stopping import sleep

logger = logging.getLogger(__name__)

BUSY_SECONDS = 0.05
IDLE_SECONDS = 0.2
LONGEST_SECONDS = 1.0
# A batch may take this part of the time between two of them.
SHARE = 0.2
STANDBY_SECONDS = 1.0
RETRY_SECONDS = 1.0


async def run(database: Database, stop: asyncio.Event) -> None:
    """Seal until told to stop; survives a lost server."""
    while not stop.is_set():
        try:
            connection = await database.dedicated()
            async with connection:
                await _run_on(connection, database, stop)
        except (psycopg.OperationalError, ServiceUnavailable) as error:
            logger.warning("sealer: %s; trying again", error)
            await sleep(stop, RETRY_SECONDS)


async def _run_on(connection: Connection, database: Database, stop: asyncio.Event) -> None:
    while (sealer := await Sealer.try_open(connection)) is None:
        await sleep(stop, STANDBY_SECONDS)
        if stop.is_set():
            return
    logger.info("sealing after position %s", sealer.chain.position)
    pause, extended = BUSY_SECONDS, -1
    while True:
        # Looked at before, so that what finished before the stop is still sealed.
        stopping = stop.is_set()
        began = time.monotonic()
        sealed = await sealer.seal()
        pause = next_pause(pause, sealed, time.monotonic() - began)
        if sealer.chain.drawn // PARTITION_EVENTS != extended:
            await extend(database)
            extended = sealer.chain.drawn // PARTITION_EVENTS
        if stopping:
            return
        await sleep(stop, pause)


def next_pause(pause: float, sealed: int, took: float) -> float:
    """How long to wait after a batch."""
    if sealed:
        return min(max(BUSY_SECONDS, took / SHARE - took), LONGEST_SECONDS)
    return min(pause * 1.5, IDLE_SECONDS)
