"""One subscription of a JSON socket: what it wants to hear, and the frames it gets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from api.keys import Context
from api.realtime.hub import Shared
from api.realtime.protocol import MISSING, Message, failure, framed
from api.realtime.views import EMPTY, MODEL, Views
from api.realtime.visitor import Visitor
from domain.errors import ActaError, ErrorGroup, InvalidPayload
from domain.log.changes import Action, Change

log = logging.getLogger(__name__)
ACTIONS: tuple[Action, ...] = ("create", "update", "delete")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A ``subscribe`` message. ``since`` is a position to begin after (an extension), ``size`` what it counts
    of what a socket may keep.
    """

    collection: str
    event: Action | None
    item: str | None
    query: Mapping[str, Any]
    uid: str | None
    since: int | None
    size: int = 0

    @property
    def answer_uid(self) -> Any:
        """The uid as frames carry it: as text."""
        return MISSING if self.uid is None else self.uid


def wanted(message: Message, size: int = 0) -> Wanted:
    """Read a ``subscribe`` message of a size.

    Raises:
        InvalidPayload
    """
    collection, event, item = message.get("collection"), message.get("event"), message.get("item")
    query, uid, since = message.get("query"), message.get("uid"), message.get("since")
    if not isinstance(collection, str) or not collection:
        raise InvalidPayload('"collection" is required')
    if event is not None and event not in ACTIONS:
        raise InvalidPayload('"event" has to be one of create, update, delete')
    if query is not None and not isinstance(query, dict):
        raise InvalidPayload('"query" has to be an object')
    if isinstance(item, bool) or not isinstance(item, str | int | None):
        raise InvalidPayload('"item" has to be a key')
    if item is not None and collection in MODEL - {"directus_collections"}:
        raise InvalidPayload(f'"item" is not possible for {collection}')
    if isinstance(uid, bool) or not isinstance(uid, str | int | None):
        raise InvalidPayload('"uid" has to be a text or number')
    if since is not None and (isinstance(since, bool) or not isinstance(since, int) or since < 0):
        raise InvalidPayload('"since" has to be a position')
    return Wanted(
        collection,
        event,
        None if item is None else str(item),
        query or {},
        None if uid is None else str(uid),
        since,
        size,
    )


class Subscription:
    """A subscription that runs; identity alone makes two of them different."""

    def __init__(self, wants: Wanted, visitor: Visitor, views: Views, put: Callable[[bytes], None]) -> None:
        self.wants = wants
        self.collection = wants.collection
        self._visitor = visitor
        self._views = views
        self._put = put

    def hears(self, change: Change) -> bool:
        """Whether event and item are those that are wanted."""
        wants = self.wants
        return wants.event in (None, change.action) and (wants.item is None or wants.item in change.keys)

    async def told(self, change: Change, shared: Shared) -> None:
        """Send what the receiver may see of a change."""
        wants = self.wants
        try:
            frame = await self._frame(change, shared)
        except (ActaError, ErrorGroup) as error:
            frame = failure("subscribe", error)
        except Exception:
            log.exception("realtime: a subscription to %s failed", wants.collection)
            return
        if frame is not None:
            self._put(frame)

    async def _frame(self, change: Change, shared: Shared) -> bytes | None:
        wants = self.wants
        context = await self._visitor.context()
        self._views.check(context, wants.collection)
        if wants.item is not None:
            envelope = await self._of_item(context, change, shared)
        else:
            envelope = await self._views.changed(context, change, wants.query, shared)
        if envelope is None or envelope.startswith(EMPTY[:-1]):
            return None
        more = {} if wants.since is None else {"position": change.position}
        return framed("subscription", envelope, wants.answer_uid, event=change.action, **more)

    async def _of_item(self, context: Context, change: Change, shared: Shared) -> bytes | None:
        item = str(self.wants.item)
        place = change.keys.index(item)
        one = Change(change.action, change.collection, [item], [change.records[place]])
        envelope = await self._views.changed(context, one, self.wants.query, shared.of_item(item))
        if envelope.startswith(EMPTY[:-1]):
            return None
        found = orjson.loads(envelope)
        found["data"] = found["data"][0]
        return orjson.dumps(found)
