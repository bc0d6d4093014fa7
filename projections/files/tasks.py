"""Tasks on objects, written with the rows that demand them.

PostgreSQL and a storage share no transaction, so a change of rows leaves a task in its own, which is
carried out after the commit, and again until it succeeds. An upload begins with the removal of its object,
due when the upload has shown no life for `GRACE_SECONDS`; the transaction that writes its row calls it off.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple
from uuid import UUID

from projections.database import Connection, Database
from projections.sql import load

SQL = load("files/tasks")
GRACE_SECONDS = 60.0
# The first key of the advisory locks of paths; the second is a part of the path's hash.
LOCKS: Final = 0x61637604

Kind = Literal["upload", "remove", "move", "swap", "copy"]
Exchange = Literal["swap", "copy"]


class StorageTrouble(Exception):
    """The storage could not do what a task says."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do. ``in_use`` tells whether a row refers to the object at ``path``.

    upload, remove: take away the object and its variants. move: to ``target``, unless something is there.
    swap: what is at ``target`` goes to ``keep`` (or away), then the object goes to ``target``.
    copy: the same, but the object stays where it is, too.
    """

    id: int
    kind: Kind
    location: str
    path: str
    target: str | None = None
    keep: str | None = None
    in_use: bool = False


class Wanted(NamedTuple):
    """A path that a file shall have; ``file`` is empty for a new one."""

    location: str
    path: str
    file: str = ""


class Move(NamedTuple):
    """An object that goes from one path of a location to another, with the file it belongs to."""

    file: str
    location: str
    path: str
    target: str


async def reserve(
    database: Database, location: str, path: str, seconds: float = GRACE_SECONDS
) -> tuple[int, bool] | None:
    """Announce an upload to a path: its task, and whether others are `in_the_way`; None for a taken path."""
    values = {"location": location, "path": path, "seconds": seconds}
    async with database.transaction() as connection:
        await _lock(connection, [location], [path])
        row = await (await connection.execute(SQL["reserve"], values)).fetchone()
        return None if row is None else (int(row[0]), bool(row[1]))


async def in_the_way(database: Database, location: str, path: str) -> list[int]:
    """Tasks that have to be done before an upload may go to a path, which is reserved for it."""
    async with database.connection() as connection:
        cursor = await connection.execute(SQL["in_the_way"], {"location": location, "path": path})
        return [int(row[0]) for row in await cursor.fetchall()]


async def taken(connection: Connection, wanted: Sequence[Wanted]) -> bool:
    """Whether one of some paths is another file's, or two want it, or an upload goes there.

    What is free stays free for the transaction that asked.
    """
    locations, paths = [one.location for one in wanted], [one.path for one in wanted]
    if len(set(zip(locations, paths, strict=True))) < len(wanted):
        return True
    await _lock(connection, locations, paths)
    values = {"locations": locations, "paths": paths, "files": [one.file for one in wanted]}
    row = await (await connection.execute(SQL["taken"], values)).fetchone()
    return row is not None and bool(row[0])


async def move(connection: Connection, moves: Sequence[Move]) -> None:
    """Leave the moving of objects, which their files' contents follow."""
    values = {
        "files": [one.file for one in moves],
        "locations": [one.location for one in moves],
        "paths": [one.path for one in moves],
        "targets": [one.target for one in moves],
    }
    await connection.execute(SQL["move"], values)


async def _lock(connection: Connection, locations: Sequence[str], paths: Sequence[str]) -> None:
    values = {"class": LOCKS, "locations": list(locations), "paths": list(paths)}
    await connection.execute(SQL["lock_paths"], values)


async def unknown(database: Database, location: str, paths: Sequence[str]) -> list[str]:
    """Those of some objects that nothing is left to do with, and that are no contents of files."""
    async with database.connection() as connection:
        cursor = await connection.execute(SQL["unknown"], {"location": location, "paths": list(paths)})
        return [row[0] for row in await cursor.fetchall()]


async def prolong(database: Database, ids: Sequence[int]) -> None:
    """Show that uploads are alive."""
    async with database.connection() as connection:
        await connection.execute(SQL["prolong"], {"ids": list(ids), "seconds": GRACE_SECONDS})


async def is_waiting(database: Database, task: int) -> bool:
    """Whether an upload is still expected."""
    async with database.connection() as connection:
        row = await (await connection.execute(SQL["is_waiting"], {"id": task})).fetchone()
    return row is not None and bool(row[0])


async def call_off(connection: Connection, task: int) -> bool:
    """Keep the object of an upload, in the transaction of its row; False when it was given up already."""
    return await (await connection.execute(SQL["call_off"], {"id": task})).fetchone() is not None


async def abandon(database: Database, task: int) -> None:
    """Have the object of a failed upload removed."""
    async with database.connection() as connection:
        await connection.execute(SQL["abandon"], {"id": task})


async def add(
    connection: Connection,
    kind: Kind,
    location: str,
    path: str,
    target: str | None = None,
    keep: str | None = None,
) -> int:
    """Leave a task; its id."""
    values = {"kind": kind, "location": location, "path": path, "target": target, "keep": keep}
    row = await (await connection.execute(SQL["add"], values)).fetchone()
    assert row is not None
    return int(row[0])


async def remove_files(connection: Connection, files: Sequence[str], *, keep: bool = False) -> None:
    """Leave the removal of all that files have in storage, before their rows go; contents may be kept."""
    await connection.execute(SQL["remove_parts"], {"files": list(files)})
    await connection.execute(SQL["keep_files" if keep else "remove_files"], {"files": list(files)})


async def purge(database: Database, seconds: float) -> None:
    """Leave the removal of contents whose files were deleted more than ``seconds`` ago."""
    async with database.connection() as connection:
        await connection.execute(SQL["purge"], {"seconds": seconds})


async def remove_parts(connection: Connection, file: str) -> None:
    """Leave the removal of the parts of a resumable upload, which its row still names."""
    await connection.execute(SQL["remove_parts"], {"files": [file]})


@asynccontextmanager
async def claimed(database: Database, ids: Sequence[int] | None) -> AsyncIterator[Task | None]:
    """The next task that is due, of ``ids`` where given, and done when the block ends; None for none left.

    A block that raises `StorageTrouble` has its task put off, and nobody told.
    """
    async with database.transaction() as connection:
        given = None if ids is None else list(ids)
        row = await (await connection.execute(SQL["claim"], {"ids": given})).fetchone()
        if row is None:
            yield None
            return
        task = Task(*row)
        try:
            yield task
        except StorageTrouble:
            await connection.execute(SQL["later"], {"id": task.id})
        else:
            await connection.execute(SQL["done"], {"id": task.id})


async def lease_variants(database: Database, seconds: float) -> tuple[int, UUID, int] | None:
    """The next file whose presets are to be made: task, file, how many have tried; None for none.

    Nobody else gets it for so many seconds; `finish` takes it from the list.
    """
    async with database.connection() as connection:
        row = await (await connection.execute(SQL["lease_variants"], {"seconds": seconds})).fetchone()
    return None if row is None else (row[0], UUID(row[1]), row[2])


async def finish(database: Database, task: int) -> None:
    """A task is done, or nobody shall try again."""
    async with database.connection() as connection:
        await connection.execute(SQL["done"], {"id": task})


async def pending(database: Database) -> int:
    """How many tasks are left."""
    async with database.connection() as connection:
        row = await (await connection.execute(SQL["pending"])).fetchone()
    return int(row[0]) if row else 0
