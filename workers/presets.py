"""Variants that the project's presets name, made when a file arrives, so that nobody waits for them later.

The task is written in the transaction of the upload (`projections.files.contents`); any number of workers
share them. One image process is used: who asks for other variants meanwhile has the rest of the machine.
"""

from __future__ import annotations

import asyncio
import logging

import psycopg

from domain.errors import ServiceUnavailable
from domain.settings import Settings
from projections.database import Database
from projections.files import tasks
from services.files.objects import Objects
from services.files.variants import Variants
from services.images.pool import ImagePool
from services.storage.locations import Locations
from workers.stopping import sleep

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
MOST_ATTEMPTS = 5
VARIANTS_AT_ONCE = 100


async def run(settings: Settings, database: Database, stop: asyncio.Event) -> None:
    """Make variants until told to stop; survives a lost server."""
    delete = settings.files.delete_original_on_move
    objects = Objects(database, Locations(settings.storage), delete_original=delete)
    images = ImagePool(settings.assets.model_copy(update={"processes": 1}))
    variants = Variants(database, objects, images, settings.assets)
    lease = settings.assets.timeout * VARIANTS_AT_ONCE
    beating = asyncio.create_task(objects.beat())
    try:
        while not stop.is_set():
            try:
                found = await _next(database, variants, lease)
            except (ServiceUnavailable, psycopg.OperationalError) as error:
                log.warning("presets: %s; trying again", error)
                found = False
            if not found:
                await sleep(stop, LOOK_SECONDS)
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        await images.close()


async def _next(database: Database, variants: Variants, lease: float) -> bool:
    leased = await tasks.lease_variants(database, lease)
    if leased is None:
        return False
    task, file, attempts = leased
    if attempts <= MOST_ATTEMPTS:
        await variants.make_presets(file)
    await tasks.finish(database, task)
    return True
