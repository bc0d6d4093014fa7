"""Tasks on objects, carried out; sources of images as files."""

from __future__ import annotations

import asyncio
import logging
import posixpath
import re
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from domain.errors import ServiceUnavailable
from domain.files.naming import split_extension
from projections.database import Connection, Database
from projections.files import tasks
from projections.files.tasks import StorageTrouble, Task
from projections.files.versions import VERSIONS
from services.storage.base import CHUNK, NotFound, Storage, StorageError
from services.storage.locations import Locations

log = logging.getLogger("acta.files")
BEAT_SECONDS = tasks.GRACE_SECONDS / 4
CLEAR_SECONDS = 10.0
FORGOTTEN_SECONDS = 86_400.0
EXCERPT = 8 * 1024 * 1024
HANDS = 4
"""Tasks a process carries out at once: each has a connection of the pool while its storage answers."""
INCOMING = ".incoming/"
_VARIANT = re.compile(r"__[0-9a-f]{40}\.[a-z0-9]+")


class Objects:
    """Objects of all locations, and what is left to do with them."""

    def __init__(self, database: Database, locations: Locations, *, delete_original: bool) -> None:
        self._database = database
        self.locations = locations
        self._delete_original = delete_original
        self._alive: set[int] = set()
        self._hands = asyncio.Semaphore(HANDS)

    def storage(self, name: str) -> Storage:
        """The storage of a name. Raises ServiceUnavailable for one that the settings no longer have."""
        found = self.locations.get(name)
        if found is None:
            raise ServiceUnavailable("files", f'Location "{name}" doesn\'t exist')
        return found

    @asynccontextmanager
    async def reserved(self, location: str, path: str) -> AsyncIterator[int | None]:
        """A path for one object: the task to call off with the row, None when the path is taken.

        A block that raises has the object removed. Raises ServiceUnavailable when what was there before
        can't be taken away.
        """
        reservation = await tasks.reserve(self._database, location, path)
        if reservation is None:
            yield None
            return
        task, others = reservation
        self._alive.add(task)
        try:
            if others:
                await self.clear(location, path)
            yield task
        except BaseException:
            await asyncio.shield(self._abandon(task))
            raise
        finally:
            self._alive.discard(task)

    @asynccontextmanager
    async def holding(self, task: int, *, release: bool = False) -> AsyncIterator[None]:
        """Keep a reservation alive that was made before; with ``release`` it is given up afterwards."""
        await tasks.prolong(self._database, [task])
        self._alive.add(task)
        try:
            yield
        finally:
            self._alive.discard(task)
            if release:
                await asyncio.shield(self._abandon(task))

    async def clear(self, location: str, path: str) -> None:
        """Wait until nothing is left to do with a path. Raises ServiceUnavailable when it takes too long."""
        for turn in range(int(CLEAR_SECONDS * 10)):
            ids = await tasks.in_the_way(self._database, location, path)
            if not ids:
                return
            # Another process may be at it.
            await asyncio.sleep(0.1 if turn else 0)
            await self.settle(ids)
        raise ServiceUnavailable("files", "The place of the file is not free yet", retry_after=10)

    async def beat(self) -> None:
        """Keep the reservations of this process alive, for ever."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            if self._alive:
                with suppress(ServiceUnavailable):
                    await tasks.prolong(self._database, [*self._alive])

    async def settle(self, ids: Sequence[int] | None = None) -> int:
        """Carry out what is due, of ``ids`` where given; how many tasks were looked at."""
        done = 0
        while True:
            async with self._hands, tasks.claimed(self._database, ids) as task:
                if task is None:
                    return done
                done += 1
                await self._carry_out(task)

    async def sweep(self) -> int:
        """Remove uploads that nothing knows of: clients may have sent them to a presigned address of a bucket
        long after its expiry. Gives how many there were.
        """
        found = 0
        for name in self.locations.names():
            storage, limit = self.storage(name), time.time() - FORGOTTEN_SECONDS
            with suppress(StorageError):
                old = [entry.path async for entry in storage.list(INCOMING) if entry.modified < limit]
                for path in await tasks.unknown(self._database, name, old):
                    await storage.delete(path)
                    found += 1
        return found

    @asynccontextmanager
    async def as_file(self, location: str, path: str) -> AsyncIterator[Path]:
        """An object as a file of this machine, a temporary one where need be. Raises StorageError."""
        storage = self.storage(location)
        local = storage.local(path)
        if local is not None:
            if await storage.stat(path) is None:
                raise NotFound(path)
            yield local
            return
        with tempfile.NamedTemporaryFile(prefix="acta-image-") as file:
            async for chunk in storage.read(path):
                await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(file.flush)
            yield Path(file.name)

    @asynccontextmanager
    async def as_excerpt(self, location: str, path: str) -> AsyncIterator[Path]:
        """An object as a file of this machine; of a large one elsewhere only the beginning and the end.

        What lies between reads as zeros, and takes no room. Raises StorageError.
        """
        storage = self.storage(location)
        entry = await storage.stat(path)
        if storage.local(path) is not None or entry is None or entry.size <= 2 * EXCERPT:
            async with self.as_file(location, path) as whole:
                yield whole
            return
        with tempfile.NamedTemporaryFile(prefix="acta-media-") as file:
            await asyncio.to_thread(file.truncate, entry.size)
            for start in (0, entry.size - EXCERPT):
                file.seek(start)
                async for chunk in storage.read(path, start, EXCERPT):
                    await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(file.flush)
            yield Path(file.name)

    async def _abandon(self, task: int) -> None:
        # Should the database be gone too, the reservation runs out by itself.
        with suppress(ServiceUnavailable):
            await tasks.abandon(self._database, task)
            await self.settle([task])

    async def _carry_out(self, task: Task) -> None:
        storage = self.locations.get(task.location)
        try:
            if storage is None:
                raise StorageError(f"no location {task.location}")
            await self._act(storage, task)
        except StorageError as error:
            log.warning("object %s of %s: %s fails: %s", task.path, task.location, task.kind, error)
            raise StorageTrouble from error

    async def _act(self, storage: Storage, task: Task) -> None:
        if task.kind in ("upload", "remove"):
            if not task.in_use:
                await storage.delete(task.path)
                await _drop_variants(storage, task.path)
        elif task.kind == "move" and task.target:
            await self._move(storage, task.path, task.target)
        elif task.target:
            await _exchange(storage, task, task.target)
            await _drop_variants(storage, task.target)

    async def _move(self, storage: Storage, path: str, target: str) -> None:
        if await storage.stat(target) is None:
            with suppress(NotFound):
                await storage.move(path, target)
        elif self._delete_original or target.startswith(VERSIONS):
            await storage.delete(path)
        await _drop_variants(storage, path)


async def keep_object(connection: Connection, task: int) -> None:
    """Keep what was uploaded, in the transaction of its row if any. Raises ServiceUnavailable for what was
    given up."""
    if not await tasks.call_off(connection, task):
        raise ServiceUnavailable("files", "The upload took longer than this server could watch over it")


async def _exchange(storage: Storage, task: Task, target: str) -> None:
    # May have been interrupted at any point: what is done shows in what is there.
    if await storage.stat(task.path) is None:
        return
    if task.keep is not None and await storage.stat(task.keep) is None:
        with suppress(NotFound):
            await storage.move(target, task.keep)
    if task.kind == "copy":
        await storage.copy(task.path, target)
    else:
        await storage.move(task.path, target)


async def _drop_variants(storage: Storage, path: str) -> None:
    # What Acta keeps for itself (uploads, parts, versions) has none, and looking for them is a listing.
    if path.startswith("."):
        return
    base = variant_base(path)
    found = [entry.path async for entry in storage.list(base + "__")]
    for name in found:
        if _VARIANT.fullmatch(name, len(base)):
            await storage.delete(name)


def variant_base(path: str) -> str:
    """What the names of a file's variants begin with."""
    return split_extension(posixpath.basename(path))[0]


async def file_chunks(path: Path) -> AsyncIterator[bytes]:
    """A file of this machine, in pieces."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
            if len(chunk) < CHUNK:
                return
    finally:
        file.close()
