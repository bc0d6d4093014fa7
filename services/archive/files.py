"""Files of an archive: rows as COPY writes them, one a line, in gzip; known by the digest of their bytes."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import zlib
from collections.abc import AsyncIterator, Sequence

from domain.errors import ServiceUnavailable
from projections.time.archives import File
from services.storage.base import NotFound, Storage, StorageError
from services.storage.locations import Locations

LEVEL = 6


async def pack(rows: Sequence[bytes]) -> bytes:
    """The bytes of a file; the same rows give the same bytes."""
    return await asyncio.to_thread(lambda: gzip.compress(b"".join(rows), LEVEL, mtime=0))


def keys(rows: Sequence[bytes]) -> tuple[str, str]:
    """The lowest and the highest key among rows, see `projections.time.archives.key_of`."""
    found = [b"\t".join(row.split(b"\t", 2)[:2]) for row in rows]
    return min(found).decode(), max(found).decode()


async def write(storage: Storage, path: str, content: bytes) -> str:
    """Store a file; gives its digest. Raises ServiceUnavailable."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    try:
        await storage.write(path, chunks())
    except StorageError as error:
        raise ServiceUnavailable("archive", f"{path} can't be written: {error}") from error
    return await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())


async def rows(locations: Locations, files: Sequence[File]) -> AsyncIterator[bytes]:
    """The rows of files, many a piece.

    Raises:
        ServiceUnavailable: when one is missing, or is not what was written.
    """
    for file in files:
        content = await _content(locations, file)
        try:
            plain = await asyncio.to_thread(gzip.decompress, content)
        except (OSError, EOFError, zlib.error) as error:
            raise ServiceUnavailable("archive", f"{file.path} was changed") from error
        yield plain


async def _content(locations: Locations, file: File) -> bytes:
    storage = locations.get(file.location)
    if storage is None:
        raise ServiceUnavailable(
            "archive", f'{file.path} lies in storage "{file.location}", which is not set'
        )
    try:
        content = b"".join([chunk async for chunk in storage.read(file.path)])
    except NotFound as error:
        raise ServiceUnavailable("archive", f"{file.path} is missing") from error
    except StorageError as error:
        raise ServiceUnavailable("archive", f"{file.path} can't be read: {error}") from error
    digest = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
    if digest != file.sha256:
        raise ServiceUnavailable("archive", f"{file.path} was changed")
    return content
