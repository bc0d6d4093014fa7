"""Moves closed partitions of the log into files, and back.

Files are written and read again, and what they hold is compared with the partition, before anything goes;
then one transaction puts what is kept in its place. Killed at any moment, either nothing has happened but
files that the next run removes, or all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from uuid import uuid4

import psycopg
from psycopg.rows import TupleRow

from domain.errors import InvalidPayload, ServiceUnavailable
from projections.database import Connection, Database
from projections.log.archived import last_archived
from projections.time import archives
from projections.time.archives import SQL, Archive, File, Partition
from projections.time.moments import settle
from services.archive import files
from services.storage.base import StorageError
from services.storage.locations import Locations

FILE_EVENTS: Final = 20_000
FILE_BYTES: Final = 16 * 1024**2
FOLDER: Final = ".archive"

Progress = Callable[[int, int, str], None]


def quiet(done: int, total: int, what: str) -> None:
    """No progress to be shown."""
    del done, total, what


class Archiver:
    """The archives of one log."""

    def __init__(self, database: Database, locations: Locations) -> None:
        self._database = database
        self._locations = locations
        # Storages are slow, and whoever waits here holds no connection.
        self._one_item = asyncio.Lock()

    async def archives(self) -> list[Archive]:
        """What is archived, the oldest first."""
        async with self._database.connection() as connection:
            return await archives.archives(connection)

    async def closed(self) -> list[Partition]:
        """What could be archived, the oldest first."""
        async with self._database.connection() as connection:
            return await archives.closed(connection)

    async def archive(
        self, partition: Partition, location: str, progress: Progress = quiet
    ) -> Archive | None:
        """Move a closed partition into files; None when there is nothing in it.

        Raises:
            InvalidPayload: for an unknown storage, and when a follower has not come past the partition.
            ServiceUnavailable: when the storage refuses, or what it gives back is not what it was given.
        """
        if self._locations.get(location) is None:
            raise InvalidPayload(f'There is no storage "{location}"')
        prefix = f"{FOLDER}/events_{partition.number:06}-{uuid4().hex[:12]}/"
        async with self._alone() as connection:
            await self._tidy(connection)
            await settle(self._database)
            events = await archives.begin(connection, partition, location, prefix)
            if not events:
                return None
            erased = await archives.redactions(connection)
            await self._write(connection, partition, (location, prefix), events, progress)
            await archives.put_away(self._database, partition, erased)
            return next(one for one in await archives.archives(connection) if one.number == partition.number)

    async def recall(self, archive: Archive, progress: Progress = quiet) -> None:
        """Bring an archive back into the log, and remove its files.

        Raises:
            ServiceUnavailable: when a file is missing or was changed; then nothing has happened.
        """
        async with self._alone() as connection:
            await archives.bring_back(self._database, archive, self.rows(archive.number, progress))
            await self._tidy(connection)

    async def rows(self, number: int, progress: Progress = quiet) -> AsyncIterator[bytes]:
        """The rows of an archive, in the form of COPY, many a piece.

        Raises:
            ServiceUnavailable: when a file is missing or was changed.
        """
        async with self._database.connection() as connection:
            found = await archives.files(connection, number)
        for done, file in enumerate(found):
            progress(done, len(found), file.path)
            async for piece in files.rows(self._locations, [file]):
                yield piece

    async def item(self, collection: str, item: str) -> None:
        """See to it that all events of an item are in the database; cheap where they are.

        Raises:
            ServiceUnavailable
        """
        async with self._database.connection() as connection:
            if not await archives.away(connection, collection, item):
                return

        def rows_of(found: Sequence[File]) -> AsyncIterator[bytes]:
            return files.rows(self._locations, found)

        async with self._one_item:
            await archives.bring_item_back(self._database, collection, item, rows_of)

    async def require(self, seq: int) -> None:
        """Refuse to say that there is no such event where it may be archived. Raises InvalidPayload."""
        async with self._database.connection() as connection:
            last = await last_archived(connection)
        if last is not None and seq <= last.seq:
            raise last.refusal()

    async def _write(
        self,
        connection: Connection,
        partition: Partition,
        place: tuple[str, str],
        events: int,
        progress: Progress,
    ) -> None:
        location, prefix = place
        nth, done = 0, 0
        async with self._database.connection() as reading:
            statement = SQL["write"].format(partition=partition.table)
            async for rows in _portions(reading, statement):
                file = await self._write_file(location, f"{prefix}{nth:05}.gz", rows)
                await archives.take(connection, files.rows(self._locations, [file[0]]))
                if await archives.same(connection, partition) != len(rows):
                    raise ServiceUnavailable("archive", f"{file[0].path} does not hold what was written")
                await connection.execute(
                    SQL["note_file"], {"number": partition.number, "nth": nth, **file[1]}
                )
                nth, done = nth + 1, done + len(rows)
                progress(done, events, "")
        if done != events:
            raise ServiceUnavailable("archive", f"{done} events of {events} were written")

    async def _write_file(
        self, location: str, path: str, rows: Sequence[bytes]
    ) -> tuple[File, dict[str, Any]]:
        storage = self._locations.get(location)
        assert storage is not None
        content = await files.pack(rows)
        digest = await files.write(storage, path, content)
        first, last = files.keys(rows)
        file = File(location, path, digest, len(rows))
        return file, {
            "path": path, "sha256": digest, "events": len(rows), "bytes": len(content),
            "first_key": first, "last_key": last,
        }  # fmt: skip

    async def _tidy(self, connection: Connection) -> None:
        """Remove files that have no use; those of an unknown storage remain for the next time."""
        for number, location, prefix in await archives.ended(connection):
            storage = self._locations.get(location)
            if storage is None:
                continue
            try:
                for path in [entry.path async for entry in storage.list(prefix)]:
                    await storage.delete(path)
            except StorageError as error:
                raise ServiceUnavailable("archive", f"{prefix} can't be removed: {error}") from error
            await connection.execute(SQL["remove"], {"number": number})

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Connection]:
        """A connection of the only archiver."""
        async with await self._database.dedicated() as connection:
            row: TupleRow | None = await (
                await connection.execute(SQL["lock"], {"key": archives.LOCK})
            ).fetchone()
            if row is None or not row[0]:
                raise ServiceUnavailable("archive", "somebody is archiving or recalling")
            try:
                yield connection
            finally:
                # PostgreSQL takes its time to notice that a connection was closed.
                with suppress(psycopg.Error):
                    await connection.execute(SQL["unlock"], {"key": archives.LOCK})


async def _portions(connection: Connection, statement: Any) -> AsyncIterator[list[bytes]]:
    """The rows of a COPY, as many as a file holds."""
    async with connection.cursor().copy(statement) as outgoing:
        rows: list[bytes] = []
        size = 0
        async for row in outgoing:
            rows.append(bytes(row))
            size += len(row)
            if len(rows) >= FILE_EVENTS or size >= FILE_BYTES:
                yield rows
                rows, size = [], 0
        if rows:
            yield rows
