"""Translations are unique per key and language."""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import InvalidPayload
from projections.system.guards.base import SQL, Action, Change, Guard, Occasion, Payload

DUPLICATE = "Duplicate key and language combination"
PAIR = ("key", "language")


class TranslationGuard(Guard):
    """The rules of `/translations`."""

    async def payloads(
        self, occasion: Occasion, action: Action, changes: Sequence[Change]
    ) -> Sequence[Payload]:
        """Refuse a second translation of a key into a language, the row itself being no exception."""
        pairs = _created(changes) if action == "create" else await _changed(occasion, changes)
        taken = await occasion.holders("same_translation", [key for key, _ in pairs])
        for key, language in pairs:
            if language in taken[key]:
                raise InvalidPayload(DUPLICATE)
            taken[key].add(language)
        return [change.payload for change in changes]


def _created(changes: Sequence[Change]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for change in changes:
        key, language = change.payload.get("key"), change.payload.get("language")
        if key is not None and language is None:
            raise InvalidPayload('"language" is required')
        if key is not None:
            pairs.append((str(key), str(language)))
    return pairs


async def _changed(occasion: Occasion, changes: Sequence[Change]) -> list[tuple[str, str]]:
    """Key and language of the rows that change in one of the two."""
    named = [change for change in changes if any(change.payload.get(name) is not None for name in PAIR)]
    if any(all(change.payload.get(name) is not None for name in PAIR) for change in named):
        raise InvalidPayload(DUPLICATE)
    if not named:
        return []
    ids = [key for change in named for key in change.keys]
    rows = {id: pair for id, *pair in await occasion.rows(SQL["translations"], ids=ids)}
    return [
        (str(change.payload.get("key") or pair[0]), str(change.payload.get("language") or pair[1]))
        for change in named
        for pair in [rows[id] for id in change.keys if id in rows]
    ]
