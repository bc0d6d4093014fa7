"""From a request to the command that is made of it."""

from __future__ import annotations

from aiohttp import web

from api.keys import CONTEXT, CONTEXTS
from domain.access.command import Command


async def command_of(request: web.Request) -> Command:
    """The command of a request, with the context that its events will carry."""
    context = request[CONTEXT]
    stored = await request.app[CONTEXTS].id_of(context.caller)
    return Command(context.caller, context.rights, context.request, stored)
