"""Letters of flows in the worker: kept in the database until the mail server has them.

One that can't be sent for now is tried again for a day. One that was just being sent when the process ended
may come twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

import psycopg

from domain.errors import ServiceUnavailable
from projections.database import Database
from projections.flows import letters
from projections.flows.letters import Waiting
from services.mail.limits import MailLimits
from services.mail.post import AT_ONCE, Post
from services.mail.sending import NotSent
from services.mail.templates import TemplateError, as_html, is_html

log = logging.getLogger("acta.mail")

LOOK_SECONDS: Final = 0.5
LONGEST_PAUSE: Final = 3600.0
GIVEN_UP_SECONDS: Final = 86_400.0


class Outbox:
    """Takes the letters of flows, and sends them while this process leads."""

    def __init__(self, database: Database, post: Post) -> None:
        self._database = database
        self._post = post

    @property
    def limits(self) -> MailLimits:
        """How many letters are sent."""
        return self._post.limits

    async def take(self, to: str, subject: str, template: str, variables: Mapping[str, object]) -> bool:
        """Keep a letter; there is always a place."""
        html = [name for name, value in variables.items() if is_html(value)]
        await letters.take(self._database, to, subject, template, variables, html)
        return True

    async def run(self, leads: Callable[[], bool]) -> None:
        """Send what is due for as long as this process ``leads``; ends when cancelled."""
        while True:
            found: list[Waiting] = []
            try:
                if leads():
                    found = await letters.due(self._database, AT_ONCE)
                    # What fails ends no other in the midst of being sent: that one would be sent again.
                    for trouble in await asyncio.gather(*map(self._send, found), return_exceptions=True):
                        if trouble is not None:
                            raise trouble
            except (psycopg.Error, ServiceUnavailable) as error:
                log.warning("letters of flows wait: %s", error)
                found = []
            if not found:
                await asyncio.sleep(LOOK_SECONDS)

    async def _send(self, letter: Waiting) -> None:
        what = f"{letter.template} to {letter.reader}"
        variables = {
            name: as_html(str(value)) if name in letter.html else value
            for name, value in letter.variables.items()
        }
        try:
            await self._post.carry(letter.reader, letter.subject, letter.template, variables)
        except (NotSent, ServiceUnavailable, psycopg.Error) as error:
            lasting = isinstance(error, NotSent) and error.lasting
            if not lasting and letter.age < GIVEN_UP_SECONDS:
                log.warning("mail %s is tried again: %s", what, error)
                await letters.later(self._database, letter.id, min(2.0**letter.attempts, LONGEST_PAUSE))
                return
            log.error("mail %s not sent: %s", what, error)
        except TemplateError as error:
            log.error("mail to %s not written: %s", letter.reader, error)
        except Exception:
            log.exception("mail %s failed", what)
        await letters.done(self._database, letter.id)
