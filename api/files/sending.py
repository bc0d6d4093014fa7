"""Bytes of objects on their way out: small files in one piece, large ones by sendfile, others streamed.

The event loop's own `sendfile` is missing in uvloop, so a file goes through the socket here: the system
call in a thread, waiting for the socket in the loop.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from services.storage.base import NotFound, Storage

SMALL = 256 * 1024
_PIECE = 1024 * 1024


class Whole(web.Response):
    """A file in one piece. A class of its own, so that no validator of the bytes is added to it."""


class Streamed(web.StreamResponse):
    """An object that is sent while it is read. The first piece is read before the headers go out."""

    def __init__(self, storage: Storage, path: str, start: int, length: int, **options: Any) -> None:
        super().__init__(**options)
        self.content_length = length
        self._chunks = storage.read(path, start, length)
        self._first = b""

    async def open(self) -> None:
        """Read the first piece. Raises StorageError."""
        self._first = await anext(self._chunks, b"")

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the headers and, but for HEAD, the bytes."""
        writer = await super().prepare(request)
        try:
            if request.method != "HEAD" and writer is not None:
                await self.write(self._first)
                async for chunk in self._chunks:
                    await self.write(chunk)
        finally:
            await self._chunks.aclose()  # type: ignore[attr-defined]
        await self.write_eof()
        return writer


class SentFile(web.StreamResponse):
    """A file of this machine, given to the kernel. The descriptor is closed in the end."""

    def __init__(self, file: int, start: int, length: int, **options: Any) -> None:
        super().__init__(**options)
        self.content_length = length
        self._file, self._first, self._count = file, start, length

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the headers and, but for HEAD, the bytes."""
        try:
            writer = await super().prepare(request)
            if request.method != "HEAD" and writer is not None:
                await self._send(request, writer)
        finally:
            os.close(self._file)
        # Not `write_eof`: nothing of the body has passed through the writer.
        self._eof_sent = True
        return writer

    async def _send(self, request: web.BaseRequest, writer: AbstractStreamWriter) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        writer.send_headers()
        while transport.get_write_buffer_size():
            await asyncio.sleep(0)
            if transport.is_closing():
                raise ConnectionResetError("the client has gone")
        # A descriptor of our own: the transport's may not be watched by anybody else.
        socket = os.dup(transport.get_extra_info("socket").fileno())
        try:
            await _copy(self._file, socket, self._first, self._count)
        finally:
            os.close(socket)


async def _copy(file: int, socket: int, start: int, length: int) -> None:
    end = start + length
    while start < end:
        try:
            sent = await asyncio.to_thread(os.sendfile, socket, file, start, min(_PIECE, end - start))
        except BlockingIOError:
            await _writable(socket)
            continue
        except OSError as error:
            raise ConnectionResetError(str(error)) from error
        if not sent:
            raise ConnectionResetError("the file has become shorter")
        start += sent


async def _writable(socket: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_writer(socket, _wake, ready)
    try:
        await ready
    finally:
        loop.remove_writer(socket)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def open_small(path: Path) -> tuple[int, bytes | None, int]:
    """Size of a file, and its bytes when it is small, else an open descriptor. Raises NotFound."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise NotFound(str(error.strerror)) from error
    try:
        size = os.fstat(file).st_size
        if size > SMALL:
            kept, file = file, -1
            return size, None, kept
        return size, os.read(file, SMALL), -1
    finally:
        if file >= 0:
            os.close(file)
