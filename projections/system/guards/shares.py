"""Shares: nobody shares what he may not share."""

from __future__ import annotations

from collections.abc import Sequence

from domain.access.secrets import MASK
from domain.errors import Forbidden
from projections.system.guards.base import (
    SQL,
    Action,
    Change,
    Guard,
    Occasion,
    Payload,
    target_of,
    tell_of_rights,
)

USED = {"times_used"}
TARGET = frozenset({"collection", "item"})
# A share shows what its author may see and what its role may see: who chose them, chose that.
AUTHOR, ROLE = "user_created", "role"


class ShareGuard(Guard):
    """The rules of `/shares`."""

    async def payloads(
        self, occasion: Occasion, action: Action, changes: Sequence[Change]
    ) -> Sequence[Payload]:
        """Require the right to share the item; only administrators aim a share elsewhere later, or make it
        somebody else's."""
        for change in changes:
            collection = change.payload.get("collection")
            if collection is not None and occasion.model.collection(str(collection)) is None:
                raise Forbidden.collection(str(collection))
        if not occasion.command.rights.admin:
            await (_require_own if action == "update" else _require_sharable)(occasion, changes)
        return [_without_mask(change.payload) if action == "update" else change.payload for change in changes]

    async def after(self, occasion: Occasion, action: Action, changes: Sequence[Change]) -> None:
        """Let every process look at tokens of a changed share again."""
        if action != "create" and any(change.payload.keys() != USED for change in changes):
            await tell_of_rights(occasion)


def _without_mask(payload: Payload) -> Payload:
    """What a client sends, without the password's mask that it read."""
    return {name: value for name, value in payload.items() if (name, value) != ("password", MASK)}


async def _require_sharable(occasion: Occasion, changes: Sequence[Change]) -> None:
    items = [target_of(change.payload) for change in changes]
    found = await occasion.reached(occasion.command, [item for item in items if item is not None], "share")
    for change, item in zip(changes, items, strict=True):
        if item not in found:
            raise Forbidden.action("share", str(change.payload.get("collection")))


async def _require_own(occasion: Occasion, changes: Sequence[Change]) -> None:
    for change in changes:
        if TARGET & change.payload.keys():
            raise Forbidden.action("share", str(change.payload.get("collection")))
        if AUTHOR in change.payload:
            raise Forbidden()
    given = [key for change in changes if ROLE in change.payload for key in change.keys]
    user = occasion.command.caller.user
    if given and await occasion.rows(SQL["foreign_shares"], keys=given, user=user):
        raise Forbidden()
