"""`/assets/files` and `/assets/folder/{key}`: several files as one archive, written while it is sent."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aiohttp import hdrs, web

from api.bodies import read_object
from api.files.routes import uuid_of
from api.keys import CONTEXT, DATABASE, LIBRARY, READER
from api.responses import COMMON
from domain.errors import Forbidden, InvalidPayload, ServiceUnavailable
from projections.files import contents
from services.files.library import FILES
from services.storage.base import NotFound, StorageError

_NOTHING = "No files found in the selected folders tree"
FOLDERS = "directus_folders"
MOST_FILES = 10_000
Entry = tuple[str, UUID | None]


async def zip_files(request: web.Request) -> web.StreamResponse:
    """POST /assets/files."""
    ids = _ids(await read_object(request))
    rows = await _readable(request, {"id": {"_in": ids}})
    names = _Names()
    entries: list[Entry] = [(names.free("", _name(row)), UUID(row["id"])) for row in rows]
    return await _send(request, "files", entries)


async def zip_folder(request: web.Request) -> web.StreamResponse:
    """POST /assets/folder/{key}."""
    tree = await contents.folders(request.app[DATABASE], UUID(uuid_of(request.match_info["key"])))
    if not tree:
        if not request[CONTEXT].rights.may(FILES, "read"):
            raise Forbidden.collection(FILES)
        raise InvalidPayload(_NOTHING)
    folders = [folder for folder, _ in tree]
    rows = await _readable(request, {"folder": {"_in": folders}})
    called = await _called(request, folders)
    names = _Names()
    places: dict[str | None, str] = {}
    entries: list[Entry] = []
    for folder, parent in tree:
        places[folder] = names.free(places.get(parent, ""), _clean(called.get(folder) or folder)) + "/"
        entries.append((places[folder], None))
    entries += [(names.free(places[row["folder"]], _name(row)), UUID(row["id"])) for row in rows]
    root = tree[0][0]
    return await _send(request, f"folder-{called.get(root) or root}", entries)


async def _called(request: web.Request, folders: list[str]) -> dict[str, str | None]:
    """The names of those folders that the caller may read."""
    context = request[CONTEXT]
    if not context.rights.may(FOLDERS, "read"):
        return {}
    query = {"filter": {"id": {"_in": folders}}, "fields": ["*"], "limit": -1}
    rows = await request.app[READER].rows(context.model, context.rights, context.caller, FOLDERS, query)
    return {row["id"]: row.get("name") for row in rows if "id" in row}


async def _readable(request: web.Request, condition: dict[str, Any]) -> list[dict[str, Any]]:
    """The files that meet a condition and that the caller may read. Raises InvalidPayload for none."""
    context = request[CONTEXT]
    query = {"filter": condition, "fields": ["*"], "limit": -1}
    scope = (context.model, context.rights, context.caller, FILES)
    rows = await request.app[READER].rows(*scope, query)
    found = [row for row in rows if "id" in row and ("folder" in row or "folder" not in condition)]
    if not found:
        raise InvalidPayload(_NOTHING)
    return found


async def _send(request: web.Request, name: str, entries: list[Entry]) -> web.StreamResponse:
    now = datetime.now(UTC)
    filename = f"{name}-{now:%Y%m%d}-{now.hour}{now.minute}{now.second}.zip"
    plain = filename.encode("ascii", "replace").decode().replace('"', "?")
    response = web.StreamResponse(headers=COMMON)
    response.headers[hdrs.CONTENT_TYPE] = "application/zip"
    response.headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{plain}"'
    await response.prepare(request)
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for path, key in entries:
            if key is None:
                archive.writestr(zipfile.ZipInfo(path, now.timetuple()[:6]), b"")
                continue
            await _add(request, response, archive, sink, zipfile.ZipInfo(path, now.timetuple()[:6]), key)
    await response.write(sink.taken())
    await response.write_eof()
    return response


async def _add(
    request: web.Request,
    response: web.StreamResponse,
    archive: zipfile.ZipFile,
    sink: _Sink,
    info: zipfile.ZipInfo,
    key: UUID,
) -> None:
    asset = await contents.asset(request.app[DATABASE], key)
    if asset is None or asset.filename_disk is None:
        raise ConnectionResetError("a file of the archive has gone")
    storage = request.app[LIBRARY].objects.storage(asset.storage)
    try:
        with archive.open(info, "w", force_zip64=True) as entry:
            async for chunk in storage.read(asset.filename_disk):
                entry.write(chunk)
                await response.write(sink.taken())
    except (NotFound, StorageError, ServiceUnavailable) as error:
        # The headers are out: only a broken connection can tell that the archive is not whole.
        raise ConnectionResetError(str(error)) from error


class _Sink(io.RawIOBase):
    """Takes what the archive writes, until it is taken away."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._passed = 0

    def writable(self) -> bool:
        """It is there to be written."""
        return True

    def write(self, data: Any) -> int:
        """Keep bytes."""
        self._waiting += data
        return len(data)

    def taken(self) -> bytes:
        """The bytes since the last time."""
        found = bytes(self._waiting)
        self._waiting.clear()
        return found


class _Names:
    """Names that are taken once: the second of a name gets a number behind it."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, place: str, name: str) -> str:
        """A path below a place."""
        for tried in _numbered(place + name):
            if tried not in self._taken:
                self._taken.add(tried)
                return tried
        raise AssertionError


def _numbered(path: str) -> Iterator[str]:
    yield path
    number = 0
    while True:
        number += 1
        yield f"{path} ({number})"


def _name(row: dict[str, Any]) -> str:
    return _clean(str(row.get("filename_download") or row["id"]))


def _clean(name: str) -> str:
    plain = "".join(
        "_" if character in '/\\:*?"<>|' or not character.isprintable() else character for character in name
    )
    return plain if plain.strip(". ") else "_"


def _ids(body: dict[str, Any]) -> list[str]:
    ids = body.get("ids")
    if not isinstance(ids, list):
        kind = "undefined" if "ids" not in body else type(ids).__name__
        raise InvalidPayload(f'Validation error: Invalid input: expected array, received {kind} at "ids"')
    if not ids:
        raise InvalidPayload('Validation error: Too small: expected array to have >=1 items at "ids"')
    if len(ids) > MOST_FILES:
        raise InvalidPayload(f'Validation error: expected array to have <={MOST_FILES} items at "ids"')
    for place, given in enumerate(ids):
        try:
            UUID(str(given))
        except ValueError:
            raise InvalidPayload(f'Validation error: "id" must be a uuid at "ids[{place}]"') from None
    return [str(given) for given in ids]


def routes() -> list[web.RouteDef]:
    """The routes."""
    return [web.post("/assets/files", zip_files), web.post("/assets/folder/{key}", zip_folder)]
