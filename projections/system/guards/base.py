"""The form of a guard, and what several guards share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol
from uuid import UUID

from psycopg import sql
from psycopg.rows import TupleRow

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

    async def reached(
        self,
        command: Command,
        model: Model,
        collection: str,
        keys: Iterable[str],
        action: RightsAction,
        *,
        connection: Connection,
    ) -> set[str]:
        """Those of some keys with whose items the command's rights let it do something."""

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

    async def items(
        self, command: Command, model: Model, collection: str, keys: Iterable[str], *, connection: Connection
    ) -> dict[str, dict[str, Any]]:
        """Those of some keys whose items the caller sees, with all their fields."""

    async def standings(
        self, model: Model, users: Iterable[UUID], *, connection: Connection
    ) -> dict[UUID, tuple[Caller, Rights]]:
        """Other users and what they may do; those who are not there are left out."""


class Seats(NamedTuple):
    """The most active users by their access; None for any number. ``app`` counts administrators too."""

    admin: int | None
    app: int | None
    api: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """What one payload makes of the items of ``keys``: of a new one before it is written, there are none.

    ``path`` leads from the request's item to a nested one.
    """

    payload: Payload
    keys: Sequence[str] = ()
    path: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Occasion:
    """One command inside its open transaction; what follows from any number of its items is ``done`` once."""

    connection: Connection
    model: Model
    command: Command
    writer: Writer
    done: set[str] = field(default_factory=set)

    async def rows(self, statement: sql.SQL, **values: Any) -> list[TupleRow]:
        """What a statement finds."""
        cursor = await self.connection.execute(statement, values)
        return await cursor.fetchall()

    async def holders(self, statement: str, values: Iterable[str | None]) -> dict[str, set[str]]:
        """Who or what has some values: the second column of a statement's rows with the value in the
        first."""
        known: dict[str, set[str]] = {value: set() for value in values if value is not None}
        # No text of PostgreSQL holds a zero, so nobody has such a value.
        asked = [value for value in known if "\0" not in value]
        for value, holder in await self.rows(SQL[statement], values=asked) if asked else ():
            known[value].add(holder)
        return known

    def first(self, what: str) -> bool:
        """Whether this is yet to be done for the command; it counts as done from now on."""
        if what in self.done:
            return False
        self.done.add(what)
        return True

    async def reached(
        self, command: Command, items: Iterable[tuple[str, str]], action: RightsAction
    ) -> set[tuple[str, str]]:
        """Those of some items, each a collection and a key, with which a command's rights let it do
        something; one statement for each collection."""
        return {
            (collection, key)
            for collection, keys in _by_collection(items)
            for key in await self.writer.reached(
                command, self.model, collection, keys, action, connection=self.connection
            )
        }

    async def items(
        self, command: Command, items: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], dict[str, Any]]:
        """Those of some items, each a collection and a key, that a command's caller sees, with all their
        fields; one statement for each collection."""
        return {
            (collection, key): item
            for collection, keys in _by_collection(items)
            for key, item in (
                await self.writer.items(command, self.model, collection, keys, connection=self.connection)
            ).items()
        }


def target_of(payload: Payload) -> tuple[str, str] | None:
    """The item, as collection and key, that a comment, a share or a version is about."""
    collection, item = payload.get("collection"), payload.get("item")
    return None if collection is None or item is None else (str(collection), str(item))


def _by_collection(items: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for collection, key in dict.fromkeys(items):
        found.setdefault(collection, []).append(key)
    return list(found.items())


class Guard:
    """Demands nothing and causes nothing; guards override what they need.

    They are asked once for all items of a collection that a command creates, updates or deletes on one level
    of nesting, so that what they look up takes as many statements for many items as for one.
    """

    async def payloads(
        self, occasion: Occasion, action: Action, changes: Sequence[Change]
    ) -> Sequence[Payload]:
        """The payloads as they shall be written."""
        return [self.payload(occasion, action, change) for change in changes]

    def payload(self, occasion: Occasion, action: Action, change: Change) -> Payload:
        """A payload as it shall be written, for guards that need to look nothing up."""
        return change.payload

    async def before_delete(self, occasion: Occasion, keys: Sequence[str]) -> None:
        """What has to happen, or to hold, before rows are deleted."""

    async def after(self, occasion: Occasion, action: Action, changes: Sequence[Change]) -> None:
        """What follows from writes; the payloads of deletions are empty."""


class RightsGuard(Guard):
    """For collections that decide on rights: every process forgets its own, and one administrator stays."""

    async def after(self, occasion: Occasion, action: Action, changes: Sequence[Change]) -> None:
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
