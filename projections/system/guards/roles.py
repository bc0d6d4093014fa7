"""Roles: a tree without cycles, and what becomes of users when a role goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.errors import InvalidPayload
from projections.system.guards.base import SQL, Action, Change, Occasion, RightsGuard


class RoleGuard(RightsGuard):
    """The rules of `/roles`."""

    async def after(self, occasion: Occasion, action: Action, changes: Sequence[Change]) -> None:
        """Refuse parents that are the role itself or stand below it."""
        placed = [key for change in changes if "parent" in change.payload for key in change.keys]
        if placed and await occasion.rows(SQL["circles"], keys=placed):
            raise InvalidPayload("A role cannot have a parent that is itself or a descendant of itself")
        await super().after(occasion, action, changes)

    async def before_delete(self, occasion: Occasion, keys: Sequence[str]) -> None:
        """Drop access rows and presets, suspend the users, free the children."""
        for statement, collection in _DROPPED:
            if found := await _keys(occasion, statement, keys):
                await occasion.writer.delete(
                    occasion.command.unlimited(),
                    occasion.model,
                    collection,
                    found,
                    connection=occasion.connection,
                )
        for statement, collection, change in _CHANGED:
            if found := await _keys(occasion, statement, keys):
                await occasion.writer.update(
                    occasion.command.unlimited(),
                    occasion.model,
                    collection,
                    found,
                    dict(change),
                    connection=occasion.connection,
                )


_DROPPED = (("access_of_roles", "directus_access"), ("presets_of_roles", "directus_presets"))
_CHANGED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("users_of_roles", "directus_users", {"status": "suspended", "role": None}),
    ("children_of_roles", "directus_roles", {"parent": None}),
)


async def _keys(occasion: Occasion, statement: str, keys: Sequence[str]) -> list[str]:
    return [row[0] for row in await occasion.rows(SQL[statement], keys=list(keys))]
