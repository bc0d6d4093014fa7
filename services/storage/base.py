"""The interface of a storage: objects by path, streamed both ways in bounded memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

CHUNK = 256 * 1024
"""Bytes that are read at once."""
Chunks = AsyncIterator[bytes]
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class StorageError(Exception):
    """The storage can't be reached or refuses; the text says why, without secrets."""


class StorageFull(StorageError):
    """There is no room, or no permission to write."""


class NotFound(StorageError):
    """No such object."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One object: path, size in bytes, time of its last change in Unix seconds."""

    path: str
    size: int
    modified: float


class Storage(ABC):
    """One location. Paths are relative, with slashes, and normalised by the caller."""

    @abstractmethod
    async def write(self, path: str, chunks: Chunks) -> int:
        """Store an object whole or not at all, replacing what is there; its size.

        Whatever ``chunks`` raises passes through, and nothing of it is left.
        """

    @abstractmethod
    def read(self, path: str, start: int = 0, length: int | None = None) -> Chunks:
        """The bytes of an object from ``start`` on; NotFound on the first one when there is none."""

    @abstractmethod
    async def stat(self, path: str) -> Entry | None:
        """What is known of an object, None for none."""

    @abstractmethod
    async def delete(self, path: str) -> None:
        """Remove an object, and what an interrupted `write` has left of it; none is no error."""

    @abstractmethod
    async def move(self, path: str, target: str) -> None:
        """Rename an object, replacing what is there. Raises NotFound."""

    @abstractmethod
    async def copy(self, path: str, target: str) -> None:
        """The same bytes at another path too, replacing what is there. Raises NotFound."""

    @abstractmethod
    def list(self, prefix: str) -> AsyncIterator[Entry]:
        """The objects whose paths begin with a prefix."""

    def local(self, path: str) -> Path | None:
        """The file that holds an object, where it is one of this machine."""
        return None

    async def presign(
        self, method: Literal["GET", "PUT"], path: str, seconds: int, headers: Mapping[str, str] = NO_HEADERS
    ) -> str | None:
        """An address that gives or takes the object without Acta, None where there is no such thing.

        ``headers`` are those of the answer: type and disposition.
        """
        return None
