"""Translations are unique per key and language."""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import InvalidPayload
from projections.system.guards.base import SQL, Action, Guard, Occasion, Payload

DUPLICATE = "Duplicate key and language combination"


class TranslationGuard(Guard):
    """The rules of `/translations`."""

    async def payload(
        self, occasion: Occasion, action: Action, keys: Sequence[str], payload: Payload
    ) -> Payload:
        """Refuse a second translation of a key into a language, the row itself being no exception."""
        key, language = payload.get("key"), payload.get("language")
        if action == "create":
            if key is not None and language is not None:
                await self._refuse_taken(occasion, key, language)
            elif key is not None:
                raise InvalidPayload('"language" is required')
        elif key is not None and language is not None:
            raise InvalidPayload(DUPLICATE)
        elif key is not None or language is not None:
            for entry in keys:
                cursor = await occasion.connection.execute(SQL["translation"], {"id": entry})
                row = await cursor.fetchone()
                if row is not None:
                    await self._refuse_taken(occasion, key or row[0], language or row[1])
        return payload

    async def _refuse_taken(self, occasion: Occasion, key: object, language: object) -> None:
        if str(language) in await occasion.holders("same_translation", str(key), _key):
            raise InvalidPayload(DUPLICATE)


def _key(payload: Payload) -> str | None:
    key = payload.get("key")
    return key if isinstance(key, str) and "\0" not in key else None
