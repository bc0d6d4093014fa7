"""Objects as answers, each in the way that is quickest for it."""

from __future__ import annotations

import asyncio
import os

from aiohttp import hdrs, web

from api.files.sending import SentFile, Streamed, Whole, open_small
from api.keys import LIBRARY, VARIANTS
from domain.files.ranges import ByteRange, parse_range
from services.storage.base import NotFound


async def send_object(
    request: web.Request, location: str, path: str, headers: dict[str, str]
) -> web.StreamResponse:
    """An object, or the range of it that is asked for. Raises StorageError, RangeNotSatisfiable."""
    return await _send(request, location, path, headers, ranged=True)


async def send_variant(
    request: web.Request, location: str, path: str, headers: dict[str, str]
) -> web.StreamResponse:
    """A variant, always whole; small ones stay in memory. Raises StorageError."""
    return await _send(request, location, path, headers, ranged=False)


async def _send(
    request: web.Request, location: str, path: str, headers: dict[str, str], *, ranged: bool
) -> web.StreamResponse:
    storage = request.app[LIBRARY].objects.storage(location)
    local = storage.local(path)
    if local is None:
        entry = await storage.stat(path)
        if entry is None:
            raise NotFound(path)
        part = _part(request, entry.size, headers, ranged=ranged)
        start, length = (part.start, part.length) if part else (0, entry.size)
        streamed = Streamed(storage, path, start, length, status=206 if part else 200, headers=headers)
        if request.method != "HEAD":
            await streamed.open()
        return streamed
    size, body, file = await asyncio.to_thread(open_small, local)
    try:
        part = _part(request, size, headers, ranged=ranged)
    except BaseException:
        if file >= 0:
            await asyncio.to_thread(os.close, file)
        raise
    status = 206 if part else 200
    start, length = (part.start, part.length) if part else (0, size)
    if body is not None:
        if not ranged:
            request.app[VARIANTS].recent.put(location, path, body)
        return Whole(body=body[start : start + length], status=status, headers=headers)
    return SentFile(file, start, length, status=status, headers=headers)


def _part(request: web.Request, size: int, headers: dict[str, str], *, ranged: bool) -> ByteRange | None:
    if not ranged:
        return None
    part = parse_range(request.headers.get(hdrs.RANGE), size)
    if part is not None:
        headers[hdrs.CONTENT_RANGE] = part.header
    # HEAD tells of the range, but answers as for the whole.
    return None if request.method == "HEAD" else part
