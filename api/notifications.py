"""Telling a user how work in the background went."""

from __future__ import annotations

import logging

from aiohttp import web

from api.keys import MODELS, WRITER
from domain.access.command import Command
from domain.errors import ActaError, ErrorGroup

COLLECTION = "directus_notifications"
STOPPED = "The server was stopped."
_log = logging.getLogger("acta.background")


async def tell(app: web.Application, command: Command, subject: str, message: str, **about: str) -> None:
    """A notification for the command's user, perhaps ``about`` an item (``collection``, ``item``); nobody is
    told of what an anonymous caller began."""
    if command.caller.user is None:
        return
    user = str(command.caller.user)
    notification = {"recipient": user, "sender": user, "subject": subject, "message": message, **about}
    try:
        await app[WRITER].create(command.unlimited(), app[MODELS].current, COLLECTION, [notification])
    except (ActaError, ErrorGroup) as error:
        # The user may be gone by now.
        _log.warning("user %s could not be told: %s", user, error)
