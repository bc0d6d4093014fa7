"""Files: where their objects lie, and what becomes of these when rows go or point elsewhere."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from domain.errors import Forbidden, InvalidPayload
from projections.files import contents, tasks
from projections.files.versions import STORED
from projections.system.guards.base import SQL, Action, Guard, Occasion, Payload

BULK = '"filename_disk" cannot be modified in bulk operations'


class FileGuard(Guard):
    """The rules of `/files`."""

    async def payload(
        self, occasion: Occasion, action: Action, keys: Sequence[str], payload: Payload
    ) -> Payload:
        """Normalise the path, refuse one that another file has, and have the object moved."""
        wanted = payload.get("filename_disk")
        if wanted is None or STORED in occasion.command.notes:
            return payload
        if action == "update" and len(keys) > 1:
            raise InvalidPayload(BULK)
        path = disk_path(str(wanted))
        key = keys[0] if keys else ""
        cursor = await occasion.connection.execute(SQL["object_of"], {"key": key})
        before = await cursor.fetchone() if key else None
        location = str(payload.get("storage") or (before[0] if before else ""))
        if await tasks.taken(occasion.connection, location, path, key):
            raise Forbidden()
        if before is not None and before[1] is not None and before[1] != path and location == before[0]:
            await tasks.add(occasion.connection, "move", location, before[1], path)
            await contents.moved(occasion.connection, key, path)
        return {**payload, "filename_disk": path}

    async def before_delete(self, occasion: Occasion, keys: Sequence[str]) -> None:
        """Have the objects removed once the rows are gone."""
        await tasks.remove_files(occasion.connection, keys, keep=occasion.writer.keep_deleted)


def disk_path(text: str) -> str:
    """A path below the root of a storage.

    Raises:
        InvalidPayload: when nothing is left of it, or Acta keeps its own things there.
    """
    path = posixpath.normpath("/" + text.replace("\\", "/")).lstrip("/")
    if not path or "\0" in path or len(path) > 255 or any(part.startswith(".") for part in path.split("/")):
        raise InvalidPayload('"filename_disk" is no usable path')
    return path
