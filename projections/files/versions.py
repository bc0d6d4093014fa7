"""Contents that change: what was there is kept by its checksum, and comes back."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.types.json import Jsonb

from domain.access.command import Command
from projections.database import Connection
from projections.files import contents, tasks
from projections.files.contents import Content, Kept
from projections.sql import load

SQL = load("files/versions")
VERSIONS = ".versions/"
STORED = "content"
"""The note of commands that put the object in its place themselves; events have it in their ``meta``."""


def version_path(sha256: str) -> str:
    """Where earlier contents are kept in a location."""
    return f"{VERSIONS}{sha256[:2]}/{sha256}"


async def exchange(
    connection: Connection,
    kind: tasks.Exchange,
    source: str,
    content: Content,
    before: Kept,
    *,
    keep: bool,
) -> list[int]:
    """Give a file other contents; the tasks that do it with the objects, to be settled after the commit.

    ``source`` is where they lie in their location: an upload that is moved ("swap") or kept contents that are
    copied ("copy"). ``before`` is the file as it was; with ``keep`` what it held is kept.
    """
    old = await contents.current(connection, before.file)
    path = version_path(old.sha256) if old is not None and keep else None
    await contents.retire(connection, before, path)
    await contents.add(connection, before.file, content)
    same = (before.storage, before.filename_disk) == (content.location, content.path)
    ids = []
    if not same and before.filename_disk is not None:
        place = (before.storage, before.filename_disk)
        if path is None:
            ids.append(await tasks.add(connection, "remove", *place))
        else:
            ids.append(await tasks.add(connection, "move", *place, target=path))
    in_place = path if same else None
    ids.append(await tasks.add(connection, kind, content.location, source, content.path, in_place))
    return ids


async def follow_rows(
    connection: Connection,
    command: Command,
    files: Sequence[str],
    upto: int,
    later: str = "{}",
    *,
    keep_replaced: bool = True,
    keep_deleted: bool = False,
) -> list[str]:
    """Let objects follow rows of ``directus_files`` that were made what they were at a cut through the log.

    For whoever writes such rows past the item writer (a restore, an undo), in the same transaction, after the
    rows: files get the contents they had at the cut (events up to seq ``upto`` but for those in ``later``,
    an ``int8multirange``), objects move to where the rows say, those of rows that went go. Contents that
    come back are an event, so that later cuts find it. Any API process carries the tasks out.

    Gives the ids of files whose contents of then are not kept any more; they keep what they have.
    """
    gone = await (await connection.execute(SQL["gone"], {"files": list(files)})).fetchall()
    await tasks.remove_files(connection, [row[0] for row in gone], keep=keep_deleted)
    values = {"files": list(files), "upto": upto, "later": later}
    lost = []
    for file, storage, disk, sha256, location, path, wanted in await (
        await connection.execute(SQL["aim"], values)
    ).fetchall():
        if wanted is None or disk is None:
            continue
        if wanted == sha256:
            if (location, path) != (storage, disk) and location == storage:
                await tasks.move(connection, [tasks.Move(file, location, path, disk)])
            continue
        version = await contents.kept_version(connection, file, wanted, storage)
        if version is None:
            lost.append(file)
            continue
        now = Kept(file, location or storage, path)
        content = Content(wanted, version.size, storage, disk)
        await exchange(connection, "copy", version.path, content, now, keep=keep_replaced)
        await _note(connection, command, file, content)
    return lost


async def _note(connection: Connection, command: Command, file: str, content: Content) -> None:
    told = {STORED: {"sha256": content.sha256, "size": content.size}}
    values = {
        "file": file,
        "actor": command.caller.user,
        "request": command.request,
        "context": command.context,
        "meta": Jsonb({**command.notes, "silent": True, **told}),
    }
    await connection.execute(SQL["note"], values)
