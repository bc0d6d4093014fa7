"""All storages of the settings, by the names that files know them by."""

from __future__ import annotations

from domain.settings import LocalStorage as LocalSettings
from domain.settings import StorageSettings
from services.storage.base import Storage
from services.storage.local import LocalStorage
from services.storage.s3 import S3Storage


class Locations:
    """The storages; the first one takes uploads."""

    def __init__(self, settings: StorageSettings) -> None:
        self.default = settings.names[0]
        self._found: dict[str, Storage] = {
            name: LocalStorage(chosen.root) if isinstance(chosen, LocalSettings) else S3Storage(chosen)
            for name, chosen in settings.locations.items()
        }

    def names(self) -> list[str]:
        """The names of all storages."""
        return [*self._found]

    def get(self, name: str) -> Storage | None:
        """The storage of a name, None for an unknown one."""
        return self._found.get(name)
