"""The form of a guard, and what several guards share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol
from uuid import UUID

from domain.access.caller import Caller
from domain.access.command import Command
from domain.access.rights import Action as RightsAction
from domain.access.rights import Rights
from domain.errors import LimitExceeded, UnprocessableContent
from domain.model.schema import Model
from projections.database import Connection
from projections.sql import load
from projections.system.rights import touch_rights
from projections.tables.writing.filtering import Filtering

Action = Literal["create", "update", "delete"]
Payload = Mapping[str, Any]

SQL = load("system/guards")
LAST_ADMIN = "Cannot remove the last admin user from the system"


class Writer(Protocol):
    """The part of the item writer that guards use for what follows from a write."""

    seats: Seats

    filtering: Filtering

    public_url: str
    """Where people find the user interface."""

    keep_deleted: bool
    """Whether the contents of deleted files are kept for some time."""

    def seal(self, text: str) -> str:
        """A secret in the form in which it is stored."""

    def mark(self, content: bytes) -> str:
        """By what the same content is known again, without telling anything of it."""

    async def reaches(
        self,
        command: Command,
        model: Model,
        collection: str,
        key: str,
        action: RightsAction,
        *,
        connection: Connection,
    ) -> bool:
        """Whether the command's rights let it do something with an item."""

    async def update(
        self,
        command: Command,
        model: Model,
        collection: str,
        keys: list[str],
        payload: dict[str, Any],
        *,
        connection: Connection | None = None,
    ) -> list[str]:
        """Change items."""

    async def delete(
        self,
        command: Command,
        model: Model,
        collection: str,
        keys: list[str],
        *,
        connection: Connection | None = None,
    ) -> list[str]:
        """Delete items."""

    async def create(
        self,
        command: Command,
        model: Model,
        collection: str,
        payloads: list[dict[str, Any]],
        *,
        connection: Connection | None = None,
    ) -> list[str]:
        """Create items."""

    async def item(
        self, command: Command, model: Model, collection: str, key: str, *, connection: Connection
    ) -> dict[str, Any] | None:
        """An item with all its fields as the caller sees it."""

    async def standing_of(
        self, model: Model, user: UUID, *, connection: Connection
    ) -> tuple[Caller, Rights] | None:
        """Another user and what he may do."""


class Seats(NamedTuple):
    """The most active users by their access; None for any number. ``app`` counts administrators too."""

    admin: int | None
    app: int | None
    api: int | None


@dataclass(frozen=True, slots=True)
class Company:
    """The items of one collection that are decided together: what they are sent, and what was looked up for
    all of them at once."""

    payloads: Sequence[Payload] = ()
    known: dict[str, dict[str, set[str]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Occasion:
    """One write inside its open transaction. ``path`` leads from the request's item to a nested one.

    ``done`` is shared by all items of one command: what follows from any number of them is done once.
    """

    connection: Connection
    model: Model
    command: Command
    writer: Writer
    path: Sequence[str] = ()
    done: set[str] = field(default_factory=set)
    company: Company = field(default_factory=Company)

    async def holders(self, statement: str, value: str, of: Callable[[Payload], str | None]) -> set[str]:
        """Who or what has a value: the second column of a statement's rows with the value in the first.

        One statement looks for the values that ``of`` finds in all payloads of the company.
        """
        known = self.company.known.setdefault(statement, {})
        if value not in known:
            values = {
                value,
                *(each for payload in self.company.payloads if (each := of(payload)) is not None),
            }
            known.update({each: set() for each in values})
            cursor = await self.connection.execute(SQL[statement], {"values": list(values)})
            for found, holder in await cursor.fetchall():
                known[found].add(holder)
        return known[value]

    def first(self, what: str) -> bool:
        """Whether this is yet to be done for the command; it counts as done from now on."""
        if what in self.done:
            return False
        self.done.add(what)
        return True

    async def item(self, command: Command, collection: str, key: str) -> dict[str, Any] | None:
        """An item with all its fields, as the caller of a command sees it; None when he does not."""
        return await self.writer.item(command, self.model, collection, key, connection=self.connection)


class Guard:
    """Demands nothing and causes nothing; guards override what they need."""

    async def payload(
        self, occasion: Occasion, action: Action, keys: Sequence[str], payload: Payload
    ) -> Payload:
        """The payload as it shall be written; ``keys`` are those of an update."""
        return payload

    async def before_delete(self, occasion: Occasion, keys: Sequence[str]) -> None:
        """What has to happen, or to hold, before rows are deleted."""

    async def after(self, occasion: Occasion, action: Action, keys: Sequence[str], payload: Payload) -> None:
        """What follows from a write; ``payload`` is empty for deletions."""


class RightsGuard(Guard):
    """For collections that decide on rights: every process forgets its own, and one administrator stays."""

    async def after(self, occasion: Occasion, action: Action, keys: Sequence[str], payload: Payload) -> None:
        """Tell of the change; refuse it when nobody could administer the system any more."""
        await tell_of_rights(occasion)
        if action != "create":
            await keep_an_admin(occasion)
        if action != "delete":
            await require_seats(occasion)


async def tell_of_rights(occasion: Occasion) -> None:
    """Have every process read rights again when the command commits."""
    if occasion.first("rights told"):
        await touch_rights(occasion.connection)


async def require_seats(occasion: Occasion) -> None:
    """Refuse a change after which more users have access than the settings allow.

    Raises:
        LimitExceeded
    """
    limits = occasion.writer.seats
    if limits == (None, None, None) or not occasion.first("seats counted"):
        return
    taken = await (await occasion.connection.execute(SQL["seats"])).fetchone()
    assert taken is not None
    for name, limit, used in zip(("Admin", "App", "API"), limits, taken, strict=True):
        if limit is not None and used > limit:
            raise LimitExceeded(f"Active {name} users")


async def keep_an_admin(occasion: Occasion) -> None:
    """As :func:`require_admin`, once for a command."""
    if occasion.first("administrators counted"):
        await require_admin(occasion.connection)


async def require_admin(connection: Connection) -> None:
    """Refuse a change that leaves no active administrator.

    Raises:
        UnprocessableContent
    """
    row = await (await connection.execute(SQL["any_admin"])).fetchone()
    if row is None:
        raise UnprocessableContent(LAST_ADMIN)
