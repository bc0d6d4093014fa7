"""How much mail is sent: by this server, and by each flow."""

from __future__ import annotations

import asyncio
import logging

from domain.errors import EmailLimitExceeded, ServiceUnavailable
from domain.settings import LimiterSettings
from projections.access.counters import Store

log = logging.getLogger("acta.mail")

MOST_WAITING = 1000
"""Letters that wait where mail is not limited: for a server that doesn't answer."""
RETRY_SECONDS = 1.0


class MailLimits:
    """The limits of the settings. With the store `postgres` all processes count together."""

    def __init__(self, settings: LimiterSettings, store: Store) -> None:
        self._settings = settings
        self._store = store

    @property
    def most_waiting(self) -> int:
        """How many letters may wait."""
        return self._settings.mail_queue if self._settings.mail_enabled else MOST_WAITING

    async def turn(self) -> None:
        """Wait until one more letter may be sent."""
        given = self._settings
        while given.mail_enabled:
            try:
                found = await self._store.count("mail", given.mail_duration)
            except ServiceUnavailable as error:
                log.warning("mail waits: %s", error.message)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if found.points <= given.mail_points:
                return
            await asyncio.sleep(found.left)

    async def flow(self, flow: str) -> None:
        """Count a letter of a flow.

        Raises:
            EmailLimitExceeded
        """
        given = self._settings
        if not given.flow_mail_enabled:
            return
        found = await self._store.count(f"mail:{flow}", given.flow_mail_duration)
        if found.points > given.flow_mail_points:
            raise EmailLimitExceeded(
                given.flow_mail_points, given.flow_mail_duration, given.flow_mail_message
            )

    def full(self) -> EmailLimitExceeded:
        """The refusal of a letter for which there is no place any more."""
        given = self._settings
        return EmailLimitExceeded(given.mail_points, given.mail_duration, given.mail_message)
