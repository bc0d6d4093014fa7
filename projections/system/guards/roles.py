"""Roles: a tree without cycles, and what becomes of users when a role goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.errors import InvalidPayload
from projections.system.guards.base import SQL, Action, Occasion, Payload, RightsGuard


class RoleGuard(RightsGuard):
    """The rules of `/roles`."""

    async def payload(
        self, occasion: Occasion, action: Action, keys: Sequence[str], payload: Payload
    ) -> Payload:
        """Refuse a parent that is the role itself or stands below it."""
        parent = payload.get("parent")
        if isinstance(parent, dict):
            parent = parent.get("id")
        if action == "update" and parent is not None:
            if str(parent) in keys:
                raise InvalidPayload("A role cannot be a parent of itself")
            cursor = await occasion.connection.execute(SQL["ancestors"], {"role": str(parent)})
            if any(row[0] in keys for row in await cursor.fetchall()):
                raise InvalidPayload("A role cannot have a parent that is already a descendant of itself")
        return payload

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
    cursor = await occasion.connection.execute(SQL[statement], {"keys": list(keys)})
    return [row[0] for row in await cursor.fetchall()]
