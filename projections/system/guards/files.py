"""Files: where their objects lie, and what becomes of these when rows go or point elsewhere."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from domain.errors import Forbidden, InvalidPayload
from projections.files import tasks
from projections.files.versions import STORED
from projections.system.guards.base import SQL, Action, Change, Guard, Occasion, Payload

BULK = '"filename_disk" cannot be modified in bulk operations'


class FileGuard(Guard):
    """The rules of `/files`."""

    async def payloads(
        self, occasion: Occasion, action: Action, changes: Sequence[Change]
    ) -> Sequence[Payload]:
        """Normalise paths, refuse those that other files have, and have objects moved."""
        payloads = [change.payload for change in changes]
        if STORED in occasion.command.notes:
            return payloads
        named = [place for place, payload in enumerate(payloads) if payload.get("filename_disk") is not None]
        if any(len(changes[place].keys) > 1 for place in named):
            raise InvalidPayload(BULK)
        if named:
            found = await _placed(occasion, [changes[place] for place in named])
            for place, path in zip(named, found, strict=True):
                payloads[place] = {**payloads[place], "filename_disk": path}
        return payloads

    async def before_delete(self, occasion: Occasion, keys: Sequence[str]) -> None:
        """Have the objects removed once the rows are gone."""
        await tasks.remove_files(occasion.connection, keys, keep=occasion.writer.keep_deleted)


async def _placed(occasion: Occasion, changes: Sequence[Change]) -> list[str]:
    """The paths that files are given, each once; their objects are going to be moved there."""
    keys = [key for change in changes for key in change.keys]
    before = {row[0]: row[1:] for row in await occasion.rows(SQL["objects_of"], keys=keys)} if keys else {}
    wanted: list[tasks.Wanted] = []
    moves: list[tasks.Move] = []
    for change in changes:
        path = disk_path(str(change.payload["filename_disk"]))
        key = change.keys[0] if change.keys else ""
        now, source = before.get(key, ("", None))
        location = str(change.payload.get("storage") or now)
        wanted.append(tasks.Wanted(location, path, key))
        if source is not None and source != path and location == now:
            moves.append(tasks.Move(key, location, source, path))
    if await tasks.taken(occasion.connection, wanted):
        raise Forbidden()
    if moves:
        await tasks.move(occasion.connection, moves)
    return [place.path for place in wanted]


def disk_path(text: str) -> str:
    """A path below the root of a storage.

    Raises:
        InvalidPayload: when nothing is left of it, or Acta keeps its own things there.
    """
    path = posixpath.normpath("/" + text.replace("\\", "/")).lstrip("/")
    if not path or "\0" in path or len(path) > 255 or any(part.startswith(".") for part in path.split("/")):
        raise InvalidPayload('"filename_disk" is no usable path')
    return path
