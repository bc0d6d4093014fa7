"""The rows that a new project begins with: policies, the administrator, the settings. Written as events."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from uuid import UUID, uuid4

from argon2 import PasswordHasher

from domain.access.secrets import digest
from domain.settings import AuthSettings, Settings
from projections import migrations
from projections.database import Database
from projections.sql import load

PUBLIC_POLICY = UUID("abf8a154-5b1c-4a46-ac9c-7300570f4f17")
"""The policy of everybody; its id is the same in every project."""
DEFAULT_EMAIL = "admin@example.com"

_STATEMENTS = load("system/bootstrap")


@dataclass(frozen=True, slots=True)
class Created:
    """The administrator just created. What the settings gave is None; what was made up is shown once."""

    email: str
    password: str | None
    token: str | None


async def bootstrap(database: Database, settings: Settings) -> Created | None:
    """Write the first rows into a prepared, empty database; None when a project is there already."""
    async with database.transaction() as connection:
        # Processes that start together take turns; the second finds the rows.
        await migrations.begin(connection)
        row = await (await connection.execute(_STATEMENTS["empty"])).fetchone()
        if row is None or not row[0]:
            return None
        email, password, token = _credentials(settings.auth)
        values = {
            "public_policy": PUBLIC_POLICY,
            "email": email,
            "password": await asyncio.to_thread(PasswordHasher().hash, password),
            "token": digest(token),
            "request": uuid4(),
        }
        await connection.execute(_STATEMENTS["first_rows"], values)
    return Created(
        email,
        None if settings.auth.admin_password else password,
        None if settings.auth.admin_token else token,
    )


def _credentials(auth: AuthSettings) -> tuple[str, str, str]:
    password = auth.admin_password.get_secret_value() if auth.admin_password else secrets.token_urlsafe(12)
    token = auth.admin_token.get_secret_value() if auth.admin_token else secrets.token_urlsafe(24)
    return auth.admin_email or DEFAULT_EMAIL, password, token
