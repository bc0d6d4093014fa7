"""Variants of images: made once, stored beside their originals, found again by name.

However many ask for a variant that is not there, one transformation runs; the others wait for its result.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from domain.errors import Forbidden, IllegalAssetTransformation, InvalidQuery, ServiceUnavailable
from domain.files.transforms import EXTENSIONS, Source, Transformation, Wish, resolve, resolve_key
from domain.settings_files import AssetsSettings
from projections.database import Database
from projections.files import contents
from projections.files.contents import Asset
from services.files.objects import Objects, file_chunks, keep_object, variant_base
from services.files.recent import Recent
from services.images.pool import ImagePool, TooSlow
from services.storage.base import NotFound, StorageError

log = logging.getLogger("acta.files")
POLL_SECONDS = 0.1
ACCEPTED = ("image/avif,image/webp", "image/webp")
"""What browsers accept: presets of format "auto" are made for both."""


@dataclass
class Variants:
    """The variants of all files."""

    database: Database
    objects: Objects
    images: ImagePool
    settings: AssetsSettings
    recent: Recent = field(default_factory=Recent)
    _making: dict[tuple[str, str], asyncio.Task[None]] = field(default_factory=dict)

    def path(self, asset: Asset, wanted: Transformation) -> str:
        """Where the variant of a file lies, or will lie."""
        assert asset.filename_disk is not None
        extension = EXTENSIONS[wanted.format]
        return f"{variant_base(asset.filename_disk)}__{wanted.digest(asset.content)}.{extension}"

    async def ensure(self, file: UUID, asset: Asset, wanted: Transformation) -> str:
        """Make a variant unless it is there; its path.

        Raises:
            ServiceUnavailable, IllegalAssetTransformation, InvalidQuery
            Forbidden: when the original is missing.
        """
        path = self.path(asset, wanted)
        storage = self.objects.storage(asset.storage)
        try:
            if await storage.stat(path) is None:
                await self.make(file, asset, wanted)
        except StorageError as error:
            raise ServiceUnavailable("files", f"{error}") from error
        return path

    async def make_presets(self, file: UUID) -> None:
        """Make the variants of a file that the project's presets name; those that can't be made are left out.

        Raises:
            ServiceUnavailable: when the storage is away.
        """
        asset = await contents.asset(self.database, file)
        if asset is None or asset.filename_disk is None or not isinstance(asset.presets, list):
            return
        source = Source(asset.type or "", asset.width, asset.height, asset.focal_x, asset.focal_y)
        presets = [entry for entry in asset.presets if isinstance(entry, dict) and entry.get("key")]
        for preset in presets:
            wish = Wish({"key": preset["key"]}, frozenset({"key"}))
            for accept in ACCEPTED:
                try:
                    values = resolve_key(wish, presets, "all")
                    wanted = resolve(values, source, accept, self.settings.max_dimension)
                    if wanted is not None:
                        await self.ensure(file, asset, wanted)
                except (InvalidQuery, IllegalAssetTransformation, Forbidden, TooSlow) as error:
                    log.info("preset %s of file %s: %s", preset["key"], file, error)

    async def make(self, file: UUID, asset: Asset, wanted: Transformation) -> str:
        """Make a variant that is not there, or wait for whoever does; as :meth:`ensure`."""
        path = self.path(asset, wanted)
        place = (asset.storage, path)
        making = self._making.get(place)
        if making is None:
            making = asyncio.create_task(self._make(file, asset, wanted, path))
            self._making[place] = making
            making.add_done_callback(lambda done: self._made(place, done))
        # A client that leaves takes nothing away from those who wait too.
        await asyncio.shield(making)
        return path

    def _made(self, place: tuple[str, str], done: asyncio.Task[None]) -> None:
        self._making.pop(place, None)
        if not done.cancelled():
            # Looked at, so that a failure nobody waits for is not reported as forgotten.
            done.exception()

    async def _make(self, file: UUID, asset: Asset, wanted: Transformation, path: str) -> None:
        async with self.objects.reserved(asset.storage, path) as task:
            if task is None:
                await self._await_other(asset.storage, path)
                return
            assert asset.filename_disk is not None
            if asset.unsettled:
                # What lies there might still be what the file held before.
                await self.objects.clear(asset.storage, asset.filename_disk)
            await self._produce(asset, wanted, path)
            # No transaction: should the file change from here on, whoever carries that out finds the variant.
            async with self.database.connection() as connection:
                # The file may have got other contents or gone while its variant was made.
                now = await contents.asset_within(connection, file)
                if now is None or now.content != asset.content or now.filename_disk != asset.filename_disk:
                    raise Forbidden()
                await keep_object(connection, task)

    async def _produce(self, asset: Asset, wanted: Transformation, path: str) -> None:
        assert asset.filename_disk is not None
        storage = self.objects.storage(asset.storage)
        try:
            async with self.objects.as_file(asset.storage, asset.filename_disk) as source:
                with tempfile.TemporaryDirectory(prefix="acta-variant-") as folder:
                    target = Path(folder) / f"variant.{EXTENSIONS[wanted.format]}"
                    await self.images.transform(
                        {
                            "source": str(source),
                            "target": str(target),
                            "pixels": self.settings.max_dimension**2,
                            "sensitivity": self.settings.sensitivity,
                            **wanted.wire(),
                        }
                    )
                    await storage.write(path, file_chunks(target))
        except NotFound:
            raise Forbidden() from None
        except StorageError as error:
            raise ServiceUnavailable("files", f"{error}") from error

    async def _await_other(self, location: str, path: str) -> None:
        """Another process makes it."""
        storage = self.objects.storage(location)
        for _ in range(int(self.settings.timeout / POLL_SECONDS)):
            if await storage.stat(path) is not None:
                return
            await asyncio.sleep(POLL_SECONDS)
        raise TooSlow
