"""Resumable uploads: a row that says how far it is, and a part in storage for each request.

Parts stay as they came until the last one; then they are read once, hashed and written as one object, on
which the row becomes an ordinary file. A part that was cut off counts as far as it came.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from domain.access.command import Command
from domain.errors import Forbidden
from domain.files.naming import clean_filename, disk_name, title_of
from domain.model import Model
from projections.database import Database
from projections.files import contents, tasks
from projections.files.contents import Content, Kept, Unfinished
from projections.tables.item_writer import ItemWriter
from services.files.library import FILES, OCTETS, Library, internal
from services.files.objects import keep_object
from services.files.upload import Measured, Upload

_OWN = frozenset(
    ("filesize", "tus_id", "tus_data", "filename_disk", "storage", "uploaded_by", "created_on", "modified_on")
)


class OffsetConflict(Exception):
    """The client is somewhere else than the upload, or somebody else is writing."""


class ChecksumMismatch(Exception):
    """The bytes of a request are not those the client has sent."""


class TooMuch(Exception):
    """More bytes than were announced."""


@dataclass
class Resumable:
    """All uploads under way."""

    database: Database
    writer: ItemWriter
    library: Library

    async def create(
        self, command: Command, model: Model, length: int, metadata: dict[str, str | None]
    ) -> str:
        """Begin an upload of so many bytes; its id. ``metadata`` has a ``filename_download``.

        Raises:
            Forbidden, and what writing a row raises.
        """
        known = model.collections[FILES].fields
        fields: dict[str, Any] = {
            name: value for name, value in metadata.items() if name in known and name not in _OWN
        }
        replaces = fields.pop("id", None)
        name = clean_filename(str(metadata["filename_download"]))
        tus_id, key = uuid4().hex, str(uuid4())
        sent = {
            **fields,
            "id": key,
            "storage": self.library.objects.locations.default,
            "filename_download": name,
            "type": fields.get("type") or OCTETS,
            "title": fields.get("title") or title_of(name, with_extension=True),
        }
        state = {
            "id": tus_id,
            "offset": 0,
            "size": length,
            "parts": [],
            "metadata": metadata,
            "replaces": replaces,
            "creation_date": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        own = {"tus_id": tus_id, "tus_data": state, "filesize": length}
        async with self.database.transaction() as connection:
            if command.rights.admin:
                await self.writer.create(command, model, FILES, [{**sent, **own}], connection=connection)
            else:
                limited = self.library.with_own_id(command)
                await self.writer.create(limited, model, FILES, [sent], connection=connection)
                await self.writer.update(internal(command), model, FILES, [key], own, connection=connection)
        return tus_id

    async def append(
        self, command: Command, model: Model, tus_id: str, offset: int, chunks: AsyncIterator[bytes]
    ) -> tuple[int, str | None]:
        """Add bytes at an offset; where the upload is now, and the file's id when it is complete.

        Nothing is added when ``chunks`` raises ChecksumMismatch.

        Raises:
            OffsetConflict, TooMuch, ChecksumMismatch, Forbidden, ServiceUnavailable
        """
        location = self.library.objects.locations.default
        path = part_path(tus_id, offset)
        async with self.library.objects.reserved(location, path) as task:
            upload = await contents.unfinished(self.database, tus_id)
            if task is None:
                raise OffsetConflict
            if upload is None or upload.state["offset"] != offset:
                # There may be a part in this place that somebody else has stored.
                async with self.database.connection() as connection:
                    await tasks.call_off(connection, task)
                raise OffsetConflict
            left = upload.size - offset
            size = await self.library.objects.storage(location).write(path, _limited(chunks, left))
            if size:
                offset += size
                state = {**upload.state, "offset": offset, "parts": [*upload.state["parts"], offset - size]}
                async with self.database.transaction() as connection:
                    change = {"tus_data": state}
                    await self.writer.update(
                        internal(command), model, FILES, [upload.file], change, connection=connection
                    )
                    if not await tasks.call_off(connection, task):
                        raise OffsetConflict
            else:
                await tasks.abandon(self.database, task)
        return offset, await self.finish(command, model, tus_id) if offset == upload.size else None

    async def finish(self, command: Command, model: Model, tus_id: str) -> str | None:
        """Make a file of an upload that is complete; its id, None for one that is not."""
        upload = await contents.unfinished(self.database, tus_id)
        if upload is None or upload.state["offset"] != upload.size:
            return None
        record = await contents.kept(self.database, upload.uuid)
        if record is None:
            raise Forbidden()
        location = record.storage
        whole = self._whole(location, upload)
        if upload.state["replaces"]:
            given = Upload({}, record.filename_download or "", record.type or OCTETS, whole)
            key = str(upload.state["replaces"])
            await self.library.replace(command, model, key, given)
            await self.writer.delete(internal(command), model, FILES, [upload.file])
        else:
            key = upload.file
            await self._settle(command, model, upload, record, whole)
        await self.library.objects.settle()
        return key

    async def cancel(self, command: Command, model: Model, upload: Unfinished) -> None:
        """Remove an upload with all that came of it."""
        await self.writer.delete(command, model, FILES, [upload.file])
        await self.library.objects.settle()

    async def expire(self, model: Model) -> None:
        """Remove uploads that were begun too long ago."""
        seconds = self.library.settings.tus_expiration
        for key in await contents.expired(self.database, seconds):
            await self.writer.delete(Command.internal(silent=True), model, FILES, [key])

    async def _settle(
        self,
        command: Command,
        model: Model,
        upload: Unfinished,
        record: Kept,
        whole: AsyncIterator[bytes],
    ) -> None:
        location = record.storage
        path = disk_name(upload.file, record.filename_download or "", record.type)
        async with self.library.objects.reserved(location, path) as task:
            if task is None:
                raise OffsetConflict
            measured = Measured()
            await self.library.objects.storage(location).write(path, measured.through(whole))
            content = Content(measured.sha256, measured.size, location, path)
            found = await self.library.inspect(location, path, record.type or OCTETS)
            derived = {name: value for name, value in found.items() if getattr(record, name, None) is None}
            change = {"filename_disk": path, "tus_id": None, "tus_data": None, **derived}
            async with self.database.transaction() as connection:
                await self.library.drop_parts(connection, upload.file)
                noted = self.library.noting(command.unlimited(), content)
                await self.writer.update(noted, model, FILES, [upload.file], change, connection=connection)
                await contents.add(connection, upload.file, content)
                await keep_object(connection, task)

    async def _whole(self, location: str, upload: Unfinished) -> AsyncIterator[bytes]:
        storage = self.library.objects.storage(location)
        for offset in upload.state["parts"]:
            async for chunk in storage.read(part_path(upload.state["id"], offset)):
                yield chunk


def part_path(tus_id: str, offset: int) -> str:
    """Where the bytes lie that came at an offset."""
    return f".tus/{tus_id}/{offset:020d}"


async def _limited(chunks: AsyncIterator[bytes], left: int) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise TooMuch
        yield chunk


async def verified(chunks: AsyncIterator[bytes], algorithm: str, digest: bytes) -> AsyncIterator[bytes]:
    """The same bytes. Raises ChecksumMismatch after the last of them; ``algorithm`` is one of `hashlib`'s."""
    measured = hashlib.new(algorithm, usedforsecurity=False)
    async for chunk in chunks:
        measured.update(chunk)
        yield chunk
    if measured.digest() != digest:
        raise ChecksumMismatch
