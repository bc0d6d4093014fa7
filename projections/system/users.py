"""What users' sessions leave behind: events of logins and logouts, and the moment a user was last here.

``last_access`` changes through the item writer like any column, but silently: it is no activity.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from domain.access.caller import Caller
from domain.access.command import Command
from domain.access.rights import ADMINISTRATOR
from domain.events import Event, UserLoggedIn, UserLoggedOut
from domain.log.originator import join_originator
from projections.database import Connection, Database
from projections.log.append import append
from projections.log.contexts import Contexts
from projections.tables.item_writer import ItemWriter
from projections.tables.store import ModelStore

USERS = "directus_users"
SHARES = "directus_shares"


class UserLog:
    """Appends what happens to users' sessions."""

    def __init__(
        self, database: Database, models: ModelStore, writer: ItemWriter, contexts: Contexts
    ) -> None:
        self._database = database
        self._models = models
        self._writer = writer
        self._contexts = contexts

    async def logged_in(self, caller: Caller, request: UUID) -> None:
        """A login: its event, and the moment."""
        await self._append(UserLoggedIn, caller, request)
        await self.seen(caller, request)

    async def logged_out(self, caller: Caller, request: UUID) -> None:
        """A logout: its event."""
        await self._append(UserLoggedOut, caller, request)

    async def seen(self, caller: Caller, request: UUID) -> None:
        """Remember that a user was here now."""
        command = Command(caller, ADMINISTRATOR, request, None).noting(silent=True)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        await self._writer.update(
            command, self._models.current, USERS, [str(caller.user)], {"last_access": now}
        )

    async def change(
        self, caller: Caller, request: UUID, user: UUID, payload: dict[str, Any], *, silent: bool = False
    ) -> None:
        """Change a user as Acta itself, on behalf of a caller whose own rights do not matter."""
        command = (await self._command(caller, request)).noting(**({"silent": True} if silent else {}))
        await self._writer.update(command, self._models.current, USERS, [str(user)], payload)

    async def create(self, caller: Caller, request: UUID, payload: dict[str, Any]) -> UUID:
        """Create a user as Acta itself; its key."""
        command = await self._command(caller, request)
        return UUID((await self._writer.create(command, self._models.current, USERS, [payload]))[0])

    async def used_share(self, connection: Connection, share: UUID, uses: int, request: UUID) -> None:
        """Count the use of a share, in an open transaction; it is no activity."""
        command = Command(Caller(share=share), ADMINISTRATOR, request, None).noting(silent=True)
        await self._writer.update(
            command, self._models.current, SHARES, [str(share)], {"times_used": uses}, connection=connection
        )

    async def _command(self, caller: Caller, request: UUID) -> Command:
        context = await self._contexts.id_of(caller)
        return Command(caller, ADMINISTRATOR, request, context, trusted=True)

    async def _append(self, kind: type[Event], caller: Caller, request: UUID) -> None:
        event = kind(
            originator_id=join_originator(USERS, str(caller.user)),
            actor=caller.user,
            request=request,
            context=await self._contexts.id_of(caller),
        )
        async with self._database.transaction() as connection:
            await append(connection, [event])
