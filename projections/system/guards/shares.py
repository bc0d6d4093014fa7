"""Shares: nobody shares what he may not share."""

from __future__ import annotations

from collections.abc import Sequence

from domain.access.secrets import MASK
from domain.errors import Forbidden
from projections.system.guards.base import SQL, Action, Guard, Occasion, Payload, tell_of_rights

USED = {"times_used"}
TARGET = frozenset({"collection", "item"})
# A share shows what its author may see and what its role may see: who chose them, chose that.
AUTHOR, ROLE = "user_created", "role"


class ShareGuard(Guard):
    """The rules of `/shares`."""

    async def payload(
        self, occasion: Occasion, action: Action, keys: Sequence[str], payload: Payload
    ) -> Payload:
        """Require the right to share the item; only administrators aim a share elsewhere later, or make it
        somebody else's."""
        collection, item = payload.get("collection"), payload.get("item")
        if collection is not None and occasion.model.collection(str(collection)) is None:
            raise Forbidden.collection(str(collection))
        if action == "update" and payload.get("password") == MASK:
            # What a client read and sends back.
            payload = {name: value for name, value in payload.items() if name != "password"}
        if occasion.command.rights.admin:
            return payload
        if action == "update":
            await _require_own(occasion, keys, payload)
        elif not await _may_share(occasion, collection, item):
            raise Forbidden.action("share", str(collection))
        return payload

    async def after(self, occasion: Occasion, action: Action, keys: Sequence[str], payload: Payload) -> None:
        """Let every process look at tokens of a changed share again."""
        if action != "create" and payload.keys() != USED:
            await tell_of_rights(occasion)


async def _may_share(occasion: Occasion, collection: object, item: object) -> bool:
    if collection is None or item is None:
        return False
    return await occasion.writer.reaches(
        occasion.command,
        occasion.model,
        str(collection),
        str(item),
        "share",
        connection=occasion.connection,
    )


async def _require_own(occasion: Occasion, keys: Sequence[str], payload: Payload) -> None:
    if TARGET & payload.keys():
        raise Forbidden.action("share", str(payload.get("collection")))
    if AUTHOR in payload:
        raise Forbidden()
    if ROLE in payload:
        user = occasion.command.caller.user
        cursor = await occasion.connection.execute(SQL["foreign_shares"], {"keys": list(keys), "user": user})
        if await cursor.fetchone() is not None:
            raise Forbidden()
