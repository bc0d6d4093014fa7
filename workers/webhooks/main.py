"""Webhooks in the worker: the leader asks for what is due, every process sends."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Final

import psycopg

from domain.access.sealed import Seal
from domain.errors import ServiceUnavailable
from domain.settings import Settings
from projections.database import Database
from projections.tables.store import ModelStore
from projections.webhooks import outbox, replaying
from projections.webhooks.queue import Queue, QueueTrouble, wanted
from services.web.guarded import GuardedClient
from workers.leadership import Leadership
from workers.share import Share
from workers.stopping import sleep
from workers.webhooks.noting import WebhookFollower
from workers.webhooks.sending import Sender

log = logging.getLogger("acta.webhooks")

LOOK_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 1.0
RELEASE_SECONDS: Final = 2.0
SWEEP_SECONDS: Final = 3600.0


async def run(
    settings: Settings,
    database: Database,
    models: ModelStore,
    leadership: Leadership,
    follower: WebhookFollower,
    share: Share,
    stop: asyncio.Event,
) -> None:
    """Do jobs until told to stop, and ask for them while this process leads the follower of webhooks."""
    secret = settings.auth.secret
    seal = Seal(secret.get_secret_value()) if secret is not None else None
    client = GuardedClient(settings.files.import_deny)
    sender = Sender(database, models, client, seal, settings.webhooks, share)

    async def replay(number: int) -> None:
        while not stop.is_set() and await replaying.advance(database, number):
            follower.noted.set()
        follower.noted.set()

    while not stop.is_set():
        try:
            async with Queue(database, {"webhook": sender.send, "replay": replay}) as queue:
                await _together(queue, _Asking(settings, database, leadership, follower, queue), sender, stop)
        except (psycopg.Error, QueueTrouble, ServiceUnavailable, OSError) as error:
            log.warning("webhooks: %s; trying again", str(error).strip() or type(error).__name__)
        await sleep(stop, RETRY_SECONDS)


async def _together(queue: Queue, asking: _Asking, sender: Sender, stop: asyncio.Event) -> None:
    """Work and ask until told to stop, or one of the two ends."""
    tasks = [
        asyncio.create_task(queue.work()),
        asyncio.create_task(asking.run(stop)),
        asyncio.create_task(stop.wait()),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if stop.is_set():
            sender.stopping.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


class _Asking:
    """The leader's part: jobs for what is due, for replays, instead of those of dead processes."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        leadership: Leadership,
        follower: WebhookFollower,
        queue: Queue,
    ) -> None:
        self._retention = settings.webhooks.retention
        self._database = database
        self._leadership = leadership
        self._follower = follower
        self._queue = queue

    async def run(self, stop: asyncio.Event) -> None:
        """Ask whenever something was noted, and every second."""
        loop = asyncio.get_running_loop()
        released = swept = -SWEEP_SECONDS
        noted = self._follower.noted
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(noted.wait(), LOOK_SECONDS)
            noted.clear()
            if not self._leadership.leads(self._follower.name):
                continue
            now = loop.time()
            if now - released > RELEASE_SECONDS:
                await self._queue.release()
                released = now
            if now - swept > SWEEP_SECONDS:
                await outbox.sweep(self._database, self._retention)
                swept = now
            async with self._database.connection() as connection:
                asked = await wanted(connection)
            for kind, number in asked:
                await self._queue.defer(kind, number)
