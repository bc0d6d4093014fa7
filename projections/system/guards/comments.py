"""Comments need an author who can see what is commented on; people mentioned in them are notified."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from domain.errors import Forbidden, InvalidPayload
from projections.system.guards.base import SQL, Action, Change, Guard, Occasion, Payload, target_of

REQUIRED = ("comment", "collection", "item")
NAMELESS = "Unknown User"
Item = tuple[str, str]
_MENTION = re.compile(
    r"@([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})", re.IGNORECASE
)


class CommentGuard(Guard):
    """The rules of `/comments`."""

    async def payloads(
        self, occasion: Occasion, action: Action, changes: Sequence[Change]
    ) -> Sequence[Payload]:
        """Require an author, and on creation text and target; only administrators comment on what they
        can't see."""
        if occasion.command.caller.user is None:
            raise Forbidden()
        payloads = [change.payload for change in changes]
        if action == "create":
            items = {_target(occasion, payload) for payload in payloads}
            command = occasion.command
            if not command.rights.admin and items - await occasion.reached(command, items, "read"):
                raise Forbidden()
        return payloads

    async def after(self, occasion: Occasion, action: Action, changes: Sequence[Change]) -> None:
        """Notify the people mentioned in new comments who can see what these are about."""
        mentions = [(change.payload, _mentioned(change.payload)) for change in changes]
        users = {user for _, mentioned in mentions for user in mentioned}
        if action != "create" or not users:
            return
        author = occasion.command.caller.user
        names = await _names(occasion, users | ({author} if author else set()))
        seen = await _seen(occasion, mentions)
        url = occasion.writer.public_url
        notifications = [
            {
                "recipient": str(user),
                "sender": None if author is None else str(author),
                "subject": f"You were mentioned in {payload['collection']}",
                "message": _message(url, payload, names.get(author) or NAMELESS, names),
                "collection": payload["collection"],
                "item": str(payload["item"]),
            }
            for payload, mentioned in mentions
            for user in sorted(mentioned)
            if target_of(payload) in seen.get(user, ())
        ]
        await occasion.writer.create(
            occasion.command.unlimited(),
            occasion.model,
            "directus_notifications",
            notifications,
            connection=occasion.connection,
        )


def _target(occasion: Occasion, payload: Payload) -> Item:
    for name in REQUIRED:
        if payload.get(name) in (None, ""):
            raise InvalidPayload(f'"{name}" is required')
    collection, item = str(payload["collection"]), str(payload["item"])
    if occasion.model.collection(collection) is None:
        raise Forbidden.collection(collection)
    return collection, item


def _mentioned(payload: Payload) -> set[UUID]:
    return {UUID(found) for found in _MENTION.findall(str(payload.get("comment")))}


async def _names(occasion: Occasion, users: Iterable[UUID]) -> dict[UUID | None, str]:
    """What people are called; those who are not there are left out."""
    rows = await occasion.rows(SQL["names_of_users"], users=list(users))
    return {row[0]: row[1] or NAMELESS for row in rows}


async def _seen(
    occasion: Occasion, mentions: Sequence[tuple[Payload, set[UUID]]]
) -> dict[UUID, set[tuple[str, str]]]:
    """Which of the items of comments the people mentioned there see: a question for each of them."""
    items: dict[UUID, set[Item]] = {}
    for payload, mentioned in mentions:
        for user in mentioned:
            items.setdefault(user, set()).add((str(payload["collection"]), str(payload["item"])))
    connection = occasion.connection
    standings = await occasion.writer.standings(occasion.model, items, connection=connection)
    return {
        user: await occasion.reached(
            replace(occasion.command, caller=caller, rights=rights), items[user], "read"
        )
        for user, (caller, rights) in standings.items()
    }


def _message(url: str, payload: Payload, author: str, names: Mapping[UUID | None, str]) -> str:
    def named(found: re.Match[str]) -> str:
        name = names.get(UUID(found[1]))
        return found[0] if name is None else f"<em>{html.escape(name)}</em>"

    quote = "\n".join(f"> {line}" for line in _MENTION.sub(named, str(payload["comment"])).splitlines())
    link = f"{url.rstrip('/')}/admin/content/{payload['collection']}/{payload['item']}"
    return f"{author} has mentioned you in a comment:\n\n{quote}\n\n[Open the item]({link})\n"
