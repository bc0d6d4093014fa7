"""Comments need an author who can see what is commented on; people mentioned in them are notified."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from domain.errors import Forbidden, InvalidPayload
from projections.system.guards.base import SQL, Action, Guard, Occasion, Payload

REQUIRED = ("comment", "collection", "item")
NAMELESS = "Unknown User"
_MENTION = re.compile(
    r"@([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})", re.IGNORECASE
)


class CommentGuard(Guard):
    """The rules of `/comments`."""

    async def payload(
        self, occasion: Occasion, action: Action, keys: Sequence[str], payload: Payload
    ) -> Payload:
        """Require an author, and on creation text and target; only administrators comment on what they
        can't see."""
        if occasion.command.caller.user is None:
            raise Forbidden()
        if action != "create":
            return payload
        for name in REQUIRED:
            if payload.get(name) in (None, ""):
                raise InvalidPayload(f'"{name}" is required')
        collection, item = str(payload["collection"]), str(payload["item"])
        if occasion.model.collection(collection) is None:
            raise Forbidden.collection(collection)
        command = occasion.command
        if not command.rights.admin and await occasion.item(command, collection, item) is None:
            raise Forbidden()
        return payload

    async def after(self, occasion: Occasion, action: Action, keys: Sequence[str], payload: Payload) -> None:
        """Notify the people mentioned in a new comment who can see what it is about."""
        if action != "create":
            return
        mentioned = {UUID(found) for found in _MENTION.findall(str(payload["comment"]))}
        if not mentioned:
            return
        author = occasion.command.caller.user
        names = await _names(occasion, [*mentioned, *([author] if author else ())])
        message = _message(occasion.writer.public_url, payload, names.get(author) or NAMELESS, names)
        for user in sorted(mentioned & names.keys()):
            if await _sees(occasion, user, payload):
                notification = {
                    "recipient": str(user),
                    "sender": None if author is None else str(author),
                    "subject": f"You were mentioned in {payload['collection']}",
                    "message": message,
                    "collection": payload["collection"],
                    "item": str(payload["item"]),
                }
                await occasion.writer.create(
                    occasion.command.unlimited(),
                    occasion.model,
                    "directus_notifications",
                    [notification],
                    connection=occasion.connection,
                )


async def _names(occasion: Occasion, users: Sequence[UUID]) -> dict[UUID | None, str]:
    """What people are called; those who are not there are left out."""
    cursor = await occasion.connection.execute(SQL["names_of_users"], {"users": list(users)})
    return {row[0]: row[1] or NAMELESS for row in await cursor.fetchall()}


async def _sees(occasion: Occasion, user: UUID, payload: Payload) -> bool:
    found = await occasion.writer.standing_of(occasion.model, user, connection=occasion.connection)
    if found is None:
        return False
    caller, rights = found
    command = replace(occasion.command, caller=caller, rights=rights)
    try:
        item = await occasion.item(command, str(payload["collection"]), str(payload["item"]))
    except Forbidden:
        return False
    return item is not None


def _message(url: str, payload: Payload, author: str, names: Mapping[UUID | None, str]) -> str:
    def named(found: re.Match[str]) -> str:
        name = names.get(UUID(found[1]))
        return found[0] if name is None else f"<em>{html.escape(name)}</em>"

    quote = "\n".join(f"> {line}" for line in _MENTION.sub(named, str(payload["comment"])).splitlines())
    link = f"{url.rstrip('/')}/admin/content/{payload['collection']}/{payload['item']}"
    return f"{author} has mentioned you in a comment:\n\n{quote}\n\n[Open the item]({link})\n"
