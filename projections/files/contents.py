"""The contents of files: what a file holds now, what it held before, who else holds the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from projections.database import Connection, Database
from projections.reading.channel import fetch_rows
from projections.sql import load

SQL = load("files/contents")
ASSET_SECONDS: Final = 10.0
_ASSET: Final = SQL["asset"].as_bytes(None)
_MODIFIED_ON: Final = 9


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes by what they are; ``sha256`` in hex, ``size`` in bytes."""

    sha256: str
    size: int
    location: str
    path: str


@dataclass(frozen=True, slots=True)
class Version:
    """Earlier contents that are kept, and what the file was called while it had them."""

    sha256: str
    size: int
    location: str
    path: str
    type: str | None
    filename_download: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What a replacement keeps of a file, and what it was."""

    file: str
    storage: str
    filename_disk: str | None
    folder: str | None = None
    title: str | None = None
    description: str | None = None
    metadata: Any = None
    filename_download: str | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Asset:
    """What serving a file takes. ``content`` changes with the bytes; ``public`` is for everybody.

    ``transform`` and ``presets`` are the project's settings. ``unsettled``: the object is not in its place
    yet, a task will put it there.
    """

    storage: str
    filename_disk: str | None
    type: str | None
    filesize: int | None
    width: int | None
    height: int | None
    focal_x: int | None
    focal_y: int | None
    filename_download: str
    modified_on: datetime
    content: str
    public: bool
    transform: str | None
    presets: Any
    unsettled: bool


@dataclass(frozen=True, slots=True)
class FileRules:
    """The project's settings about transformations."""

    transform: str | None = None
    presets: Any = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A resumable upload under way; ``state`` is what its column ``tus_data`` holds."""

    file: str
    user: str | None
    state: dict[str, Any]
    size: int
    created: datetime

    @property
    def uuid(self) -> UUID:
        """The file's id."""
        return UUID(self.file)


async def add(connection: Connection, file: str, content: Content) -> None:
    """Give a file its contents."""
    values = {
        "file": file,
        "location": content.location,
        "path": content.path,
        "sha256": content.sha256,
        "size": content.size,
    }
    await connection.execute(SQL["add"], values)


async def current(connection: Connection, file: str) -> Content | None:
    """What a file holds now; None for one that Acta has not stored itself."""
    row = await (await connection.execute(SQL["current"], {"file": file})).fetchone()
    return None if row is None else Content(*row)


async def retire(connection: Connection, before: Kept, keep: str | None) -> None:
    """The current contents of a file are history, kept at a path; without one they are forgotten."""
    values = {"file": before.file, "keep": keep, "type": before.type, "name": before.filename_download}
    await connection.execute(SQL["retire"], values)


async def history(database: Database, file: str) -> list[dict[str, Any]]:
    """All contents of a file, the newest first."""
    async with database.connection() as connection:
        cursor = await connection.execute(SQL["history"], {"file": file})
        names = (
            "id", "sha256", "size", "location", "path", "at", "replaced_at", "type", "filename_download",
        )  # fmt: skip
        return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]


async def kept_version(
    connection: Connection, file: str, sha256: str, location: str | None = None
) -> Version | None:
    """Earlier contents of a file that are kept; None when they are not, or not in that location."""
    values = {"file": file, "sha256": sha256, "location": location}
    row = await (await connection.execute(SQL["kept_version"], values)).fetchone()
    return None if row is None else Version(*row)


async def same(database: Database, sha256: str) -> list[str]:
    """The ids of the files with these contents."""
    async with database.connection() as connection:
        cursor = await connection.execute(SQL["same"], {"sha256": sha256})
        return [row[0] for row in await cursor.fetchall()]


async def same_as(database: Database, file: str) -> list[str]:
    """The ids of the files with the contents of a file, its own too."""
    async with database.connection() as connection:
        cursor = await connection.execute(SQL["same_as"], {"file": file})
        return [row[0] for row in await cursor.fetchall()]


async def duplicates(database: Database, most: int) -> list[tuple[str, int, list[str]]]:
    """Contents that several files hold: checksum, size and ids; those that waste most first."""
    async with database.connection() as connection:
        cursor = await connection.execute(SQL["duplicates"], {"most": most})
        return [(sha256, size, files) for sha256, size, files in await cursor.fetchall()]


async def asset(database: Database, file: UUID) -> Asset | None:
    """What serving a file takes; None for no such file."""
    async with database.connection() as connection:
        return await asset_within(connection, file)


async def asset_within(connection: Connection, file: UUID) -> Asset | None:
    """The same, by a connection that the caller has."""
    # Not by a cursor: nothing is asked as often.
    rows = await fetch_rows(connection, 0, _ASSET, [str(file).encode()], ASSET_SECONDS)
    if not rows or rows[0][0] is None:
        return None
    values = orjson.loads(rows[0][0])
    values[_MODIFIED_ON] = datetime.fromisoformat(values[_MODIFIED_ON])
    return Asset(*values)


async def any_rules(database: Database) -> FileRules:
    """The project's settings about transformations, where there is no file to ask with."""
    async with database.connection() as connection:
        row = await (await connection.execute(SQL["rules"])).fetchone()
    return FileRules(*(row or ()))


async def default_folder(database: Database) -> str | None:
    """The folder of uploads that name none."""
    async with database.connection() as connection:
        row = await (await connection.execute(SQL["default_folder"])).fetchone()
    return row[0] if row else None


async def exists(database: Database, file: UUID) -> bool:
    """Whether there is such a file."""
    async with database.connection() as connection:
        row = await (await connection.execute(SQL["exists"], {"file": file})).fetchone()
    return row is not None and bool(row[0])


async def kept(database: Database, file: UUID) -> Kept | None:
    """What a replacement keeps of a file; None for no such file."""
    async with database.connection() as connection:
        row = await (await connection.execute(SQL["kept"], {"file": file})).fetchone()
    return None if row is None else Kept(*row)


async def folders(database: Database, folder: UUID) -> list[tuple[str, str | None]]:
    """A folder and all below it as id and parent, parents first; empty for no such folder."""
    async with database.connection() as connection:
        cursor = await connection.execute(SQL["folders"], {"folder": folder})
        return [(key, parent) for key, parent in await cursor.fetchall()]


async def expired(database: Database, seconds: float) -> list[str]:
    """The ids of resumable uploads that are older than ``seconds`` and unfinished."""
    async with database.connection() as connection:
        cursor = await connection.execute(SQL["expired"], {"seconds": seconds})
        return [row[0] for row in await cursor.fetchall()]


async def is_unfinished(database: Database, file: str) -> bool:
    """Whether a file is a resumable upload under way."""
    async with database.connection() as connection:
        row = await (await connection.execute(SQL["is_unfinished"], {"file": file})).fetchone()
    return row is not None and bool(row[0])


async def unfinished(database: Database, tus_id: str) -> Unfinished | None:
    """A resumable upload by its id."""
    async with database.connection() as connection:
        row = await (await connection.execute(SQL["upload"], {"tus_id": tus_id})).fetchone()
    if row is None:
        return None
    file, user, state, size, created = row
    return Unfinished(file, user, state or {}, int(size or 0), created)
