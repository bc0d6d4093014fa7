"""Wrong passwords are counted; too many suspend the user.

The count is everybody's, in PostgreSQL, and ends with a right password only. The last administrator can't be
suspended: for him attempts are refused for a while, right or wrong.
"""

from __future__ import annotations

from uuid import UUID

from api.auth.credentials import Origin
from api.auth.issuing import caller_of
from domain.errors import InvalidCredentials, UnprocessableContent
from projections.access.counters import Counters
from projections.system.accounts import Account, Accounts
from projections.system.rights import RightsStore
from projections.system.users import UserLog

PAUSE_SECONDS = 900.0
SHARE_ATTEMPTS = 25


class Attempts:
    """Counts attempts on users and shares."""

    def __init__(self, counters: Counters, accounts: Accounts, users: UserLog, rights: RightsStore) -> None:
        self._counters = counters
        self._accounts = accounts
        self._users = users
        self._rights = rights

    async def on_user(self, account: Account, origin: Origin, request: UUID) -> None:
        """Count an attempt on a user's password or one-time password, before it is looked at.

        Raises:
            InvalidCredentials: when there were too many; the user is suspended now.
        """
        most = (await self._accounts.project()).attempts
        if most is None:
            return
        name = f"login:{account.id}"
        if (await self._counters.count(name, None)).points <= most:
            return
        try:
            await self._users.change(
                caller_of(None, None, origin), request, account.id, {"status": "suspended"}
            )
            await self._counters.forget(name)
        except UnprocessableContent:
            await self._counters.end(name, PAUSE_SECONDS)
        finally:
            self._rights.settle()
        raise InvalidCredentials()

    async def forgive(self, account: Account) -> None:
        """Begin anew after a right password."""
        await self._counters.forget(f"login:{account.id}")

    async def on_share(self, share: UUID) -> None:
        """Count an attempt on a share's password.

        Raises:
            InvalidCredentials
        """
        if (await self._counters.count(f"share:{share}", PAUSE_SECONDS)).points > SHARE_ATTEMPTS:
            raise InvalidCredentials()

    async def forgive_share(self, share: UUID) -> None:
        """Begin anew after a right password."""
        await self._counters.forget(f"share:{share}")
