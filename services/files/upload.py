"""One file on its way in: what the client says of it, and its bytes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

from domain.errors import ContentTooLarge, InvalidPayload
from domain.files.naming import clean_filename, disk_name
from projections.system.guards.files import disk_path
from services.storage.beside import Beside

_HASHED: Final = 1024 * 1024


@dataclass
class Upload:
    """Metadata as sent, name and type, and the bytes, which can be read once.

    ``placed`` is where they lie in their location already. ``sha256`` and ``size`` are what the client says
    they are.
    """

    fields: Mapping[str, Any]
    filename: str
    type: str
    chunks: AsyncIterator[bytes]
    title: str | None = None
    placed: str | None = None
    sha256: str | None = None
    size: int | None = None
    measured: Measured = field(init=False)

    def key(self) -> str:
        """The id it shall have."""
        given = self.fields.get("id")
        if given is None:
            return str(uuid4())
        try:
            return str(UUID(str(given)))
        except ValueError:
            raise InvalidPayload('"id" is no UUID') from None

    def path(self, key: str) -> str:
        """Where its object shall lie."""
        given = self.fields.get("filename_disk")
        if given:
            return disk_path(str(given))
        return disk_name(key, self.name(), self.type)

    def name(self) -> str:
        """The name it is downloaded by."""
        given = self.fields.get("filename_download")
        return clean_filename(str(given)) if given else clean_filename(self.filename)

    def stream(self, limit: int | None) -> AsyncIterator[bytes]:
        """The bytes, measured while they pass."""
        self.measured = Measured()
        return self.measured.through(self.chunks, limit)

    def check(self) -> None:
        """Refuse bytes that are not what the client said. Raises InvalidPayload."""
        if self.sha256 is not None and self.sha256.lower() != self.measured.sha256:
            raise InvalidPayload("The contents don't have the checksum that was sent")
        if self.size is not None and self.size != self.measured.size:
            raise InvalidPayload("The contents don't have the size that was sent")


@dataclass
class Measured:
    """Size in bytes and SHA-256 of what has passed, once all of it has."""

    size: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)

    async def through(self, chunks: AsyncIterator[bytes], limit: int | None = None) -> AsyncIterator[bytes]:
        """The same bytes. Raises ContentTooLarge beyond ``limit``."""
        hashing = Beside(lambda pieces: asyncio.to_thread(self._add, pieces), _HASHED)
        async for chunk in chunks:
            self.size += len(chunk)
            if limit is not None and self.size > limit:
                raise ContentTooLarge()
            await hashing.take(chunk)
            yield chunk
        self._add(await hashing.end())

    def _add(self, chunks: Sequence[bytes]) -> None:
        for chunk in chunks:
            self._hash.update(chunk)

    @property
    def sha256(self) -> str:
        """The digest in hex."""
        return str(self._hash.hexdigest())


async def nothing() -> AsyncIterator[bytes]:
    """No bytes."""
    for chunk in tuple[bytes, ...]():
        yield chunk
