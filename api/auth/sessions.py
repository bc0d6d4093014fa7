"""Sessions: begun by a login, carried on by refreshes, ended by logout or time.

Only digests of tokens are stored. In session mode the successor's id is derived from the old id and the
secret, so that a cookie refreshed twice within the grace period leads to the same successor although
neither id is known to the database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from api.auth.credentials import Origin
from api.auth.tokens import NANOID_LENGTH, random_token
from domain.access.secrets import digest
from domain.settings import AuthSettings
from projections.database import Database
from projections.sql import load

STATEMENTS = load("system/sessions")


@dataclass(frozen=True, slots=True)
class Session:
    """A session found by its token, of a user or of a share.

    ``role``, ``status`` and ``provider`` are the user's now; ``open`` tells whether the share still is.
    """

    user: UUID | None
    share: UUID | None
    role: UUID | None
    status: str | None
    provider: str | None
    open: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A session as its user sees it."""

    id: str
    ip: str | None
    user_agent: str | None
    origin: str | None
    expires: datetime
    token: str


class Sessions:
    """The sessions of all users."""

    def __init__(self, database: Database, settings: AuthSettings, secret: str) -> None:
        self._database = database
        self._settings = settings
        self._secret = secret

    async def alive(self, token: str) -> bool:
        """Whether a session goes on."""
        return await self._one("alive", token=digest(token)) is not None

    async def goes_on(self, login: str) -> bool:
        """Whether the login behind an access token has not ended."""
        return await self._one("goes_on", login=login) is not None

    async def begin(self, user: UUID | None, origin: Origin, share: UUID | None = None) -> str:
        """A new session of a user or share; its token. Sessions that have ended are dropped on the way."""
        token = random_token()
        await self._run("purge")
        await self._run("purge_spent")
        seconds = self._settings.refresh_token_ttl
        await self._run(
            "begin", token=digest(token), user=user, share=share, seconds=seconds, **_place(origin)
        )
        return token

    async def find(self, token: str) -> Session | None:
        """The session of a refresh token that is still valid.

        A token used before is in the wrong hands, or its successor is: that session ends.
        """
        row = await self._one("of_refresh", token=digest(token))
        if row is not None:
            return Session(*row)
        await self.sent_again(token)
        return None

    async def sent_again(self, token: str) -> None:
        """End what came of a token that was used long enough ago."""
        await self._one("reused", token=digest(token), grace=self._settings.session_grace)

    async def rotate(self, token: str, origin: Origin) -> str | None:
        """A new token for the session, the old one being invalid at once; None when it was already."""
        following = random_token()
        row = await self._one(
            "rotate",
            token=digest(token),
            next=digest(following),
            seconds=self._settings.refresh_token_ttl,
            **_place(origin),
        )
        return following if row is not None else None

    async def succeed(self, token: str, session: Session, origin: Origin) -> str | None:
        """The successor of a cookie session, whose own end comes after the grace period; None when it has
        ended, or another successor."""
        following = self._successor(token)
        values = {
            "token": digest(token),
            "next": digest(following),
            "user": session.user,
            "share": session.share,
            "seconds": self._settings.session_cookie_ttl,
            "grace": self._settings.session_grace,
            **_place(origin),
        }
        carried_on = False
        async with self._database.transaction() as connection:
            # The user's row is asked for before the session's, as by whoever changes the user.
            begun = (await connection.execute(STATEMENTS["succeed"], values)).rowcount == 1
            held = await (await connection.execute(STATEMENTS["hold"], values)).fetchone()
            if held == (None,) and begun:
                await connection.execute(STATEMENTS["spend"], values)
                carried_on = True
            elif held == (values["next"],) and not begun:
                carried_on = True
            else:
                raise psycopg.Rollback
        return following if carried_on else None

    async def finish(self, token: str) -> UUID | None:
        """End a session, and with it those that it came of and that came of it; its user."""
        row = await self._ended("hold_family", "finish", token=digest(token))
        return row[0] if row is not None else None

    async def listed(self, user: UUID) -> list[Listed]:
        """The sessions of a user that go on."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(STATEMENTS["listed"], {"user": user})
            return [Listed(*row) for row in await cursor.fetchall()]

    async def revoke(self, user: UUID, identifier: str | None, keep: str | None = None) -> bool:
        """End a session of a user, or all but the caller's own; whether there was any."""
        kept = digest(keep) if keep else None
        return await self._ended("hold_user", "revoke", user=user, id=identifier, keep=kept) is not None

    def _successor(self, token: str) -> str:
        # Two blocks, so that the id has as many characters as any other.
        blocks = (
            hmac.digest(self._secret.encode(), f"{part}:{token}".encode(), hashlib.sha256) for part in "12"
        )
        return base64.urlsafe_b64encode(b"".join(blocks)).decode()[:NANOID_LENGTH]

    async def _run(self, name: str, **values: Any) -> None:
        async with self._database.connection() as connection:
            await connection.execute(STATEMENTS[name], values)

    async def _ended(self, hold: str, end: str, **values: Any) -> tuple[Any, ...] | None:
        """What ``end`` gives; it sees the successors of sessions that were being carried on."""
        async with self._database.transaction() as connection:
            await connection.execute(STATEMENTS[hold], values)
            return await (await connection.execute(STATEMENTS[end], values)).fetchone()

    async def _one(self, name: str, **values: Any) -> tuple[Any, ...] | None:
        async with self._database.connection() as connection:
            cursor = await connection.execute(STATEMENTS[name], values)
            return await cursor.fetchone()


def _place(origin: Origin) -> dict[str, str | None]:
    return {"ip": origin.ip, "user_agent": origin.user_agent, "origin": origin.origin}
