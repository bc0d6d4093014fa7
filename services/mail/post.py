"""Letters on their way: written and sent in the background, so that nobody waits for a mail server.

A letter that can't be sent is tried again a few times and then given up; that is logged, without its text,
which may hold a link that lets its reader in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from domain.settings import MailSettings
from services.mail.sending import Letter, NotSent, send
from services.mail.templates import TemplateError, render

log = logging.getLogger("acta.mail")

PAUSES_SECONDS = (1.0, 10.0, 60.0)
MOST_WAITING = 1000
AT_ONCE = 4
PATIENCE_SECONDS = 5.0

Defaults = Callable[[], Awaitable[Mapping[str, object]]]
"""The variables that every template gets; ``projectName`` is the sender's name as well."""


class Post:
    """Takes letters and sends them. One per process."""

    def __init__(self, settings: MailSettings, defaults: Defaults) -> None:
        self._settings = settings
        self._defaults = defaults
        self._sending: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(AT_ONCE)

    def letter(self, to: str, subject: str, template: str, variables: Mapping[str, object]) -> None:
        """Send a letter soon; never raises, never waits."""
        if len(self._sending) >= MOST_WAITING:
            log.error("mail %s to %s dropped: too many are waiting", template, to)
            return
        task = asyncio.create_task(self._deliver(to, subject, template, dict(variables)))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        """Give letters on their way a little time."""
        if self._sending:
            _, left = await asyncio.wait(self._sending, timeout=PATIENCE_SECONDS)
            for task in left:
                task.cancel()
            if left:
                log.error("%s letters were not sent", len(left))

    async def _deliver(self, to: str, subject: str, template: str, variables: dict[str, object]) -> None:
        for pause in (*PAUSES_SECONDS, None):
            try:
                async with self._places:
                    await self._try(to, subject, template, variables)
                return
            except NotSent as error:
                if error.lasting or pause is None:
                    log.error("mail %s to %s not sent: %s", template, to, error)
                    return
                log.warning("mail %s to %s is tried again: %s", template, to, error)
                await asyncio.sleep(pause)
            except TemplateError as error:
                log.error("mail to %s not written: %s", to, error)
                return
            except Exception:
                log.exception("mail %s to %s failed", template, to)
                return

    async def _try(self, to: str, subject: str, template: str, variables: dict[str, object]) -> None:
        everywhere = await self._defaults()
        html = render(template, self._settings.templates, {**everywhere, **variables})
        name = str(everywhere.get("projectName") or "")
        await send(self._settings, Letter((to,), subject, html, name))
