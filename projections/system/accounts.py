"""Users, shares and the project's settings as those need them who let callers in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from projections.database import Connection, Database
from projections.sql import load

SQL = load("system/accounts")


@dataclass(frozen=True, slots=True)
class Account:
    """A user; ``password`` is its hash and ``tfa_secret`` sealed."""

    id: UUID
    role: UUID | None
    status: str
    provider: str
    password: str | None
    tfa_secret: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Reader:
    """Of letters: the address, and whether the user interface is open to its owner."""

    email: str
    app: bool


@dataclass(frozen=True, slots=True)
class Project:
    """The settings that concern mail, logins and registration; ``attempts`` is None for any number."""

    name: str = "Directus"
    color: str = "#171717"
    logo: str | None = None
    url: str | None = None
    attempts: int | None = 25
    registration: bool = False
    verify_email: bool = True
    registration_role: UUID | None = None
    email_filter: Mapping[str, Any] | None = None
    password_policy: str | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """A share; ``open`` tells whether its time has come and not gone."""

    id: UUID
    role: UUID | None
    password: str | None
    max_uses: int | None
    times_used: int
    collection: str
    item: str
    open: bool
    author: UUID | None
    date_start: datetime | None
    date_end: datetime | None

    @property
    def exhausted(self) -> bool:
        """Whether it was used as often as it may be."""
        return self.max_uses is not None and self.times_used >= self.max_uses


class Accounts:
    """Looks accounts up."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_email(self, email: str) -> Account | None:
        """The user with an e-mail address, whatever its case."""
        row = await self._row("by_email", email=email)
        return Account(*row) if row else None

    async def by_id(self, user: UUID) -> Account | None:
        """The user with a key."""
        row = await self._row("by_id", user=user)
        return Account(*row) if row else None

    async def reader(self, user: UUID) -> Reader | None:
        """To whom letters about a user's notifications go; None for who wants none, or has no address."""
        row = await self._row("reader", user=user)
        return Reader(*row) if row else None

    async def by_identifier(self, identifier: str) -> Account | None:
        """The user whom a provider knows by this name."""
        row = await self._row("by_identifier", identifier=identifier)
        return Account(*row) if row else None

    async def enforces_tfa(self, role: UUID | None) -> bool:
        """Whether a role's own policies demand a second factor."""
        row = await self._row("enforces_tfa", role=role) if role else None
        return bool(row and row[0])

    async def role_named(self, names: list[str]) -> UUID | None:
        """The first role with one of these names."""
        row = await self._row("role_named", names=[name.lower() for name in names])
        return row[0] if row else None

    async def project(self) -> Project:
        """The project's settings, or their defaults."""
        row = await self._row("project")
        return Project() if row is None else Project(row[0] or "Directus", row[1] or "#171717", *row[2:])

    async def auth_data(self, user: UUID) -> Mapping[str, Any]:
        """What is kept of a user's provider."""
        row = await self._row("auth_data", user=user)
        return row[0] if row and isinstance(row[0], dict) else {}

    async def identifier(self, user: UUID) -> str | None:
        """The name by which a user's provider knows him."""
        row = await self._row("identifier", user=user)
        return row[0] if row else None

    async def share(self, share: UUID) -> Share | None:
        """A share, whatever its state."""
        row = await self._row("share", share=share)
        if row is None:
            return None
        values = list(row)
        values[4] = values[4] or 0
        return Share(*values)

    async def _row(self, name: str, **values: Any) -> tuple[Any, ...] | None:
        async with self._database.connection() as connection:
            return await (await connection.execute(SQL[name], values)).fetchone()


async def lock_share(connection: Connection, share: UUID) -> tuple[int, int | None] | None:
    """How often a share was used and may be; nobody else changes it until the transaction ends."""
    row = await (await connection.execute(SQL["lock_share"], {"share": share})).fetchone()
    return (row[0] or 0, row[1]) if row else None
