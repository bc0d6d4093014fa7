"""Objects as files below a directory.

Blocking file operations run in threads. An object is written beside its place and renamed into it, so readers
see the old one or the new one.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from services.storage.base import CHUNK, Chunks, Entry, NotFound, Storage, StorageError, StorageFull
from services.storage.beside import Beside

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG}
_GATHERED = 4 * CHUNK
_SYNCED = 32 * 1024 * 1024
T = TypeVar("T")


class LocalStorage(Storage):
    """One directory, made when something is first stored in it."""

    def __init__(self, root: str) -> None:
        self._root = Path(root).absolute()

    async def write(self, path: str, chunks: Chunks) -> int:
        """Store an object, on disk when this returns."""
        place = self._place(path)
        part = _part(place)
        file = await _run(_create, part)
        writing = Beside(partial(_run, file.writelines), _GATHERED)
        syncing: asyncio.Task[None] | None = None
        size = synced = 0
        try:
            async for chunk in chunks:
                size += len(chunk)
                await writing.take(chunk)
                # What lies on disk already need not be waited for at the end.
                if size - synced >= _SYNCED and (syncing is None or syncing.done()):
                    syncing, synced = asyncio.create_task(_run(os.fdatasync, file.fileno())), size
            left = await writing.end()
            if syncing is not None:
                await asyncio.shield(syncing)
            await _run(_finish, file, left, part, place)
            return size
        except BaseException:
            await asyncio.shield(_abandon(writing, syncing, file, part))
            raise

    async def read(self, path: str, start: int = 0, length: int | None = None) -> Chunks:
        """The bytes of a file."""
        file = await _run(_open, self._place(path), start)
        left = length
        try:
            while left is None or left > 0:
                chunk = await _run(file.read, CHUNK if left is None else min(CHUNK, left))
                if not chunk:
                    return
                if left is not None:
                    left -= len(chunk)
                yield chunk
        finally:
            file.close()

    async def stat(self, path: str) -> Entry | None:
        """Size and time of a file."""
        try:
            found = await _run(os.stat, self._place(path))
        except NotFound:
            return None
        return Entry(path, found.st_size, found.st_mtime)

    async def delete(self, path: str) -> None:
        """Remove a file and its unfinished part."""
        await _run(_remove, self._place(path))

    async def move(self, path: str, target: str) -> None:
        """Rename a file."""
        await _run(_move, self._place(path), self._place(target))

    async def copy(self, path: str, target: str) -> None:
        """Another name for a file, where the file system can; objects are never changed in place."""
        await _run(_copy, self._place(path), self._place(target))

    async def list(self, prefix: str) -> AsyncIterator[Entry]:
        """Files by prefix; only the directories that can hold such are looked at."""
        for entry in await _run(lambda: [*_walk(self._root, prefix)]):
            yield entry

    def local(self, path: str) -> Path:
        """The file itself."""
        return self._place(path)

    def _place(self, path: str) -> Path:
        place = self._root / path
        if "\0" in path or not place.is_relative_to(self._root) or ".." in place.parts:
            raise NotFound(path)
        return place


def _part(place: Path) -> Path:
    # As long a name as the directory takes may leave no room for more.
    return place.with_name(f".{place.name[-200:]}.part")


async def _abandon(writing: Beside, syncing: asyncio.Task[None] | None, file: BinaryIO, part: Path) -> None:
    await writing.abandon()
    if syncing is not None:
        await asyncio.gather(syncing, return_exceptions=True)
    await _run(_give_up, file, part)


def _create(part: Path) -> BinaryIO:
    part.parent.mkdir(parents=True, exist_ok=True)
    return part.open("wb", buffering=0)


def _finish(file: BinaryIO, waiting: list[bytes], part: Path, place: Path) -> None:
    file.writelines(waiting)
    os.fdatasync(file.fileno())
    file.close()
    part.rename(place)


def _give_up(file: BinaryIO, part: Path) -> None:
    file.close()
    part.unlink(missing_ok=True)


def _open(place: Path, start: int) -> BinaryIO:
    file = place.open("rb", buffering=0)
    file.seek(start)
    return file


def _remove(place: Path) -> None:
    for path in (place, _part(place)):
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()


def _move(place: Path, target: Path) -> None:
    if not place.is_file():
        raise FileNotFoundError(errno.ENOENT, "no such object", str(place))
    target.parent.mkdir(parents=True, exist_ok=True)
    place.rename(target)


def _copy(place: Path, target: Path) -> None:
    part = _part(target)
    part.parent.mkdir(parents=True, exist_ok=True)
    part.unlink(missing_ok=True)
    try:
        os.link(place, part)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(place, part)
    # Two names of one file would both stay after a rename.
    if target.exists() and part.samefile(target):
        part.unlink()
    else:
        part.rename(target)


def _walk(root: Path, prefix: str) -> Iterator[Entry]:
    folder, _, start = prefix.rpartition("/")
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(root / folder) as entries:
        for entry in entries:
            if not entry.name.startswith(start):
                continue
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(root, path + "/")
            elif entry.is_file(follow_symlinks=False):
                found = entry.stat()
                yield Entry(path, found.st_size, found.st_mtime)


async def _run(work: Callable[..., T], *arguments: object) -> T:
    try:
        return await asyncio.to_thread(work, *arguments)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NotFound(str(error.strerror)) from error
    except OSError as error:
        kind = StorageFull if error.errno in _FULL else StorageError
        raise kind(f"{error.strerror}") from error
