"""Shares: nobody shares what he may not share."""

from __future__ import annotations

from collections.abc import Sequence

from domain.errors import Forbidden
from projections.system.guards.base import Action, Guard, Occasion, Payload
from projections.system.rights import touch_rights

USED = {"times_used"}
TARGET = frozenset({"collection", "item"})


class ShareGuard(Guard):
    """The rules of `/shares`."""

    async def payload(
        self, occasion: Occasion, action: Action, keys: Sequence[str], payload: Payload
    ) -> Payload:
        """Require the right to share the item; only administrators aim a share elsewhere later."""
        collection, item = payload.get("collection"), payload.get("item")
        if collection is not None and occasion.model.collection(str(collection)) is None:
            raise Forbidden.collection(str(collection))
        if occasion.command.rights.admin or not TARGET & payload.keys():
            return payload
        if action == "update" or collection is None or item is None:
            raise Forbidden.action("share", str(collection))
        if not await occasion.writer.reaches(
            occasion.command, occasion.model, str(collection), str(item), "share"
        ):
            raise Forbidden.action("share", str(collection))
        return payload

    async def after(self, occasion: Occasion, action: Action, keys: Sequence[str], payload: Payload) -> None:
        """Let every process look at tokens of a changed share again."""
        if action != "create" and payload.keys() != USED:
            await touch_rights(occasion.connection)
