"""The command that a request's writes are part of."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web

from api.keys import CONTEXT, CONTEXTS, Context
from domain.access.command import Command
from projections.log.contexts import Contexts


async def command_of(request: web.Request) -> Command:
    """The command of a request, for writes that don't go through `api.items`."""
    return await make_command(request.app[CONTEXTS], request[CONTEXT])


async def make_command(contexts: Contexts, context: Context) -> Command:
    """Who, with which rights, from where; the place it comes from is stored on first sight."""
    return Command(
        context.caller,
        context.rights,
        UUID(context.request),
        await contexts.id_of(context.caller),
        session=context.session,
    )
