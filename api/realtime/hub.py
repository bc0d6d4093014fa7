"""The hub of a process: follows the sealed log and tells every subscriber what happened to its collection.

Nothing is read while nobody listens. Followers of the log elsewhere have positions that last; here whoever
was not connected hears nothing, unless it asks for what came after a position.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, Protocol

import psycopg

from domain.errors import ServiceUnavailable
from domain.log.changes import Change, changes, tells_of_model
from domain.log.record import Record
from projections.database import Database
from projections.log import positions
from projections.log.seal import CHANNEL
from projections.sql import load
from projections.system.rights import RightsStore
from projections.tables.store import ModelStore

log = logging.getLogger(__name__)

LISTEN: Final = load("log/wake")["listen"]
BATCH: Final = 500
RETRY_SECONDS: Final = 1.0
# A notification may be missed with its connection; then this is how late a frame comes.
LOOK_SECONDS: Final = 2.0


class Shared:
    """What subscribers of one change would read alike, read once."""

    def __init__(self) -> None:
        self._known: dict[Hashable, asyncio.Future[Any]] = {}
        self._items: dict[str, Shared] = {}

    def of_item(self, key: str) -> Shared:
        """What is read alike of one item of the change alone."""
        return self._items.setdefault(key, Shared())

    async def once(self, key: Hashable, make: Callable[[], Awaitable[Any]]) -> Any:
        """The result of ``make`` for the first who asks; whoever asks later gets the same, or its error."""
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = asyncio.ensure_future(make())
        return await asyncio.shield(known)


class Subscriber(Protocol):
    """Somebody who wants to hear of a collection."""

    @property
    def collection(self) -> str:
        """Which."""

    def hears(self, change: Change) -> bool:
        """Whether it is to be told of a change of its collection at all."""

    async def told(self, change: Change, shared: Shared) -> None:
        """Hear of a change. Must not raise, nor wait for the client."""


class Hub:
    """Subscribers by collection, and the log as far as it was told.

    What changes rights and the model is in the log, too. It is heeded there before anything behind it is
    told, whether the notification that also tells of it has come or not: nobody hears of a change by rights
    lost before it, and nothing is told by a model that does not know it yet.
    """

    def __init__(self, database: Database, rights: RightsStore, models: ModelStore) -> None:
        self._database = database
        self._rights = rights
        self._models = models
        # The last position that rights and model are known to be of, or newer.
        self._heeded = 0
        # Each with the position it was told up to when it joined.
        self._subscribers: defaultdict[str, dict[Subscriber, int]] = defaultdict(dict)
        self._position = 0
        self._following = False
        self._wake = asyncio.Event()
        # Held while subscribers are told, so that between two batches the position stands still.
        self._telling = asyncio.Lock()

    async def last_position(self) -> int:
        """The last position there is."""
        async with self._database.connection() as connection:
            return await positions.last_position(connection)

    async def join(self, subscriber: Subscriber, since: int) -> None:
        """Tell a subscriber of everything after a position: what is there already, then what comes."""
        last = await self.last_position()
        if not self._following:
            self._rights.forget()
            await self._models.refresh()
            self._heeded = last
        since = await self._replay(subscriber, since, last)
        async with self._telling:
            if not self._following:
                self._position = self._heeded
                self._following = True
            told = await self._replay(subscriber, since, self._position)
            self._subscribers[subscriber.collection][subscriber] = told

    def leave(self, subscriber: Subscriber) -> None:
        """Tell it nothing any more."""
        found = self._subscribers.get(subscriber.collection)
        if found is None:
            return
        found.pop(subscriber, None)
        if not found:
            del self._subscribers[subscriber.collection]
        if not self._subscribers:
            self._following = False

    async def run(self) -> None:
        """Follow the log for ever, through losses of the server. Ends when cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._follow())

    async def _replay(self, subscriber: Subscriber, after: int, until: int) -> int:
        """Tell one subscriber what was sealed between two positions; the position it was told up to."""
        while after < until:
            async with self._database.connection() as connection:
                records = await positions.read(connection, after, min(BATCH, until - after))
            if not records:
                break
            await self._heed(records)
            for change in changes(records, moves=True):
                if change.collection == subscriber.collection and subscriber.hears(change):
                    await subscriber.told(change, Shared())
            after = records[-1].position
        return after

    async def _heed(self, records: list[Record]) -> None:
        new = [record for record in records if record.position > self._heeded]
        self._rights.heed(new)
        if any(map(tells_of_model, new)):
            await self._models.refresh()
        self._heeded = max(self._heeded, records[-1].position if records else 0)

    async def _listen(self) -> None:
        while True:
            try:
                connection = await self._database.dedicated()
                try:
                    await connection.execute(LISTEN)
                    self._wake.set()
                    async for _ in connection.notifies():
                        self._wake.set()
                finally:
                    await connection.close()
            except (psycopg.Error, ServiceUnavailable, OSError) as error:
                log.warning("realtime: not listening to %s: %s", CHANNEL, error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                while self._following and await self._advance():
                    pass
            except (psycopg.Error, ServiceUnavailable, OSError) as error:
                log.warning("realtime: the log can't be read: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                # Whatever it is, it must not end the following for all.
                log.exception("realtime: a change can't be told")
                await asyncio.sleep(RETRY_SECONDS)

    async def _advance(self) -> bool:
        async with self._telling:
            async with self._database.connection() as connection:
                records = await positions.read(connection, self._position, BATCH)
            await self._heed(records)
            for change in changes(records, moves=True):
                await self._tell(change)
            if records:
                self._position = records[-1].position
        return bool(records)

    async def _tell(self, change: Change) -> None:
        shared = Shared()
        # Made before any is awaited: subscribers come and go while others are told.
        telling = [
            one.told(change, shared)
            for one, told in self._subscribers.get(change.collection, {}).items()
            if told < change.position and one.hears(change)
        ]
        await asyncio.gather(*telling)
