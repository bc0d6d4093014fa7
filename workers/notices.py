"""The follower that writes a letter to whoever is notified of something.

It is told at least once of each notification, so that after a crash a letter may come twice. A letter that
can't be sent is given up after some attempts (`services.mail.post`): the notification itself is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar
from uuid import UUID

from domain.events import ItemCreated
from domain.log import Record
from domain.settings import Settings
from projections.database import Connection, Database
from projections.log import positions
from projections.system.accounts import Accounts
from services.mail.markdown import rendered
from services.mail.post import Post
from workers.follower import Batch, OutwardFollower

COLLECTION = "directus_notifications"
# What Acta puts back is no news.
_NO_NEWS = frozenset({"silent", "cause", "restore", "undo", "revert"})


class Notices(OutwardFollower):
    """Writes letters."""

    name: ClassVar[str] = "notifications"
    batch: ClassVar[int] = 500
    from_start: ClassVar[bool] = False

    def __init__(self, settings: Settings, database: Database, post: Post) -> None:
        self._accounts = Accounts(database)
        self._settings = settings
        self._post = post

    async def skipped(self, connection: Connection, after: int) -> int:
        """All, while no event tells of notifications."""
        last = await positions.last_position(connection)
        told = await positions.tell_of(connection, COLLECTION, after, last)
        return after if told else max(last, after)

    async def handle(self, records: Sequence[Record], batch: Batch) -> None:
        """Write to the recipients of new notifications."""
        for record in records:
            created = record.collection == COLLECTION and record.topic == ItemCreated.TOPIC
            if created and not _NO_NEWS & (record.meta or {}).keys():
                await self._write(record.payload or {})

    async def _write(self, notification: dict[str, object]) -> None:
        with suppress(ValueError):
            user = UUID(str(notification.get("recipient")))
            reader = await self._accounts.reader(user)
            if reader is None:
                return
            base = self._settings.server.public_url.rstrip("/")
            variables = {
                "html": rendered(str(notification.get("message") or "")),
                "url": f"{base}/admin/users/{user}" if reader.app else None,
            }
            self._post.letter(reader.email, str(notification.get("subject") or ""), "base", variables)
