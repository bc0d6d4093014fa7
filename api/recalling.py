"""Reads of history that name an item are answered whole, also where its events lie in an archive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from domain.query.filters import All, Condition, Filter
from projections.reading.reader import Reader
from services.archive.archiver import Archiver

HISTORY: Final = frozenset({"directus_activity", "directus_revisions"})
LONGEST: Final = 18
"""Digits of an id that an event may have."""


class Recalling:
    """Has archived events of items brought back before they are read; cheap where nothing is archived."""

    def __init__(self, archiver: Archiver, reader: Reader) -> None:
        self._archiver = archiver
        self._reader = reader

    async def query(self, collection: str, raw: str | Mapping[str, Any]) -> None:
        """For a query of a history. Raises as :meth:`filtered`."""
        if collection in HISTORY:
            await self.filtered(collection, self._reader.query(raw).root.filter)

    async def filtered(self, collection: str, condition: Filter | None) -> None:
        """For a filter of a history that asks for one item (``collection`` and ``item`` equal something).

        Raises:
            ServiceUnavailable: when the archive can't be read.
        """
        if collection in HISTORY:
            equal = dict(_equalities(condition))
            if isinstance(equal.get("collection"), str) and equal.get("item") is not None:
                await self.item(equal["collection"], str(equal["item"]))

    async def entry(self, collection: str, key: str) -> None:
        """For an entry of a history that was asked for by its id and is not there.

        Raises:
            InvalidPayload: where it may be archived: whose it is, an id does not tell.
        """
        if collection in HISTORY and key.isascii() and key.isdigit() and len(key) <= LONGEST:
            await self._archiver.require(int(key))

    async def item(self, collection: str, item: str) -> None:
        """For one item, by its key as the log writes it. Raises ServiceUnavailable."""
        await self._archiver.item(collection, item)


def _equalities(condition: Filter | None) -> list[tuple[str, Any]]:
    if isinstance(condition, Condition) and condition.operator == "_eq" and len(condition.path) == 1:
        return [(condition.path[0], condition.value)]
    if isinstance(condition, All):
        return [pair for member in condition.members for pair in _equalities(member)]
    return []
