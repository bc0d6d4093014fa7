"""Letters on their way: written and sent in the background, so that nobody waits for a mail server.

A letter that can't be sent is tried again a few times and then given up; that is logged, without its text,
which may hold a link that lets its reader in.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import Context
from typing import Any, Self, TypeAlias

from domain.settings import MailSettings
from services.mail.limits import MailLimits
from services.mail.sending import Letter, NotSent, send, verify
from services.mail.templates import TemplateError, alike, render

log = logging.getLogger("acta.mail")

PAUSES_SECONDS = (1.0, 10.0, 60.0)
AT_ONCE = 4
PATIENCE_SECONDS = 5.0
VERIFIED_SECONDS = 60.0

Defaults = Callable[[], Awaitable[Mapping[str, object]]]
"""The variables that every template gets; ``projectName`` is the sender's name as well."""

Filter = Callable[[Mapping[str, Any]], Awaitable[Any]]
"""What is made of a letter (``to``, ``subject``, ``template`` with ``name`` and ``data``, or ``html``) before
it is written; anything but such an object cancels it."""

Posted: TypeAlias = tuple[str, str, str, dict[str, object]]
"""Address, subject, template and its variables."""


class Post:
    """Takes letters and sends them in their order. One per process."""

    def __init__(self, settings: MailSettings, defaults: Defaults, limits: MailLimits) -> None:
        self._settings = settings
        self._defaults = defaults
        self.limits = limits
        self.filter: Filter | None = None
        self._waiting: deque[Posted] = deque()
        self._handing: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._verified: tuple[float, str | None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def letter(self, to: str, subject: str, template: str, variables: Mapping[str, object]) -> bool:
        """Send a letter soon; never raises, never waits. False when there is no place for it."""
        if len(self._waiting) + len(self._sending) >= self.limits.most_waiting:
            log.error("mail %s to %s dropped: too many are waiting", template, to)
            return False
        self._waiting.append((to, subject, template, dict(variables)))
        if self._handing is None or self._handing.done():
            # Whoever writes a letter inside a transaction does not have it sent there.
            self._handing = asyncio.create_task(self._hand_over(), context=Context())
        return True

    async def take(self, to: str, subject: str, template: str, variables: Mapping[str, object]) -> bool:
        """As :meth:`letter`."""
        return self.letter(to, subject, template, variables)

    async def carry(self, to: str, subject: str, template: str, variables: Mapping[str, object]) -> None:
        """Write a letter and hand it in at once, for whoever keeps it until then.

        Raises:
            NotSent, TemplateError
        """
        letter = await self._written(to, subject, template, variables)
        if letter is not None:
            await self.limits.turn()
            async with self._places:
                await send(self._settings, letter)

    async def trouble(self) -> str | None:
        """Why letters can't be sent at present, as far as was seen within a minute; None when they can."""
        now = time.monotonic()
        if self._verified is None or now - self._verified[0] > VERIFIED_SECONDS:
            try:
                await verify(self._settings)
                self._verified = (now, None)
            except NotSent as error:
                self._verified = (now, str(error))
        return self._verified[1]

    async def check(self) -> None:
        """Warn when letters can't be sent."""
        if (trouble := await self.trouble()) is not None:
            log.warning("mail can't be sent: %s", trouble)

    async def close(self) -> None:
        """Give letters on their way a little time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while tasks := self._tasks():
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        left = len(self._waiting) + len(self._sending)
        for task in self._tasks():
            task.cancel()
        if left:
            log.error("%s letters were not sent", left)

    def _tasks(self) -> set[asyncio.Task[None]]:
        handing = self._handing
        return self._sending | ({handing} if handing is not None and not handing.done() else set())

    async def _hand_over(self) -> None:
        while self._waiting:
            await self.limits.turn()
            task = asyncio.create_task(self._deliver(*self._waiting.popleft()))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _deliver(self, to: str, subject: str, template: str, variables: dict[str, object]) -> None:
        try:
            letter = await self._written(to, subject, template, variables)
            if letter is not None:
                await self._hand_in(letter, f"{template} to {to}")
        except TemplateError as error:
            log.error("mail to %s not written: %s", to, error)
        except Exception:
            log.exception("mail %s to %s failed", template, to)

    async def _hand_in(self, letter: Letter, what: str) -> None:
        for pause in (*PAUSES_SECONDS, None):
            try:
                async with self._places:
                    await send(self._settings, letter)
                return
            except NotSent as error:
                if error.lasting or pause is None:
                    log.error("mail %s not sent: %s", what, error)
                    return
                log.warning("mail %s is tried again: %s", what, error)
                await asyncio.sleep(pause)

    async def _written(
        self, to: str, subject: str, template: str, variables: Mapping[str, object]
    ) -> Letter | None:
        """The letter as it is sent; None when a filter has cancelled it. Raises TemplateError."""
        readers, html = [to], None
        if self.filter is not None:
            page = {"name": template, "data": dict(variables)}
            found = await self.filter({"to": to, "subject": subject, "template": page})
            if not isinstance(found, Mapping):
                log.info("mail %s to %s was cancelled by a filter", template, to)
                return None
            named, html, changed = found.get("to", to), found.get("html"), found.get("template")
            readers = [str(reader) for reader in (named if isinstance(named, list) else [named])]
            subject = str(found.get("subject", subject))
            if isinstance(changed, Mapping):
                template = str(changed.get("name", template))
                variables = alike(variables, changed.get("data"))
        everywhere = await self._defaults()
        if not isinstance(html, str):
            html = render(template, self._settings.templates, {**everywhere, **variables})
        return Letter(readers, subject, html, str(everywhere.get("projectName") or ""))
