"""Requests that meet tables which somebody has changed past Acta a moment ago: they begin anew, once."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from api.keys import CONTEXT, MODELS
from api.responses import no_content
from domain.errors import ActaError, UnprocessableContent
from projections.errors import SchemaChanged, outdated

READING = frozenset({"GET", "SEARCH"})
# Their writes are rolled back when they fail, and told by the context when they are not.
REPEATABLE = ("/items/", "/graphql")
DONE = "What was asked for is done, but can't be answered: the schema has changed"


@web.middleware
async def on_newer_model(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Read the model again when a statement did not fit the tables, and with a newer one begin anew."""
    try:
        return await handler(request)
    except ActaError as error:
        context = request.get(CONTEXT)
        if context is None or not outdated(error):
            raise
        newer = await request.app[MODELS].refresh()
        if context.settled:
            if request.path.startswith("/graphql"):
                raise UnprocessableContent(DONE) from error
            return no_content()
        repeatable = request.method in READING or request.path.startswith(REPEATABLE)
        if newer is context.model and isinstance(error, SchemaChanged):
            # The tables are as we know them: it is a view or a trigger that does not fit them.
            raise UnprocessableContent(f"The database refuses it: {error.__cause__}") from error
        if newer is context.model or not repeatable:
            raise
        context.model = newer
    return await handler(request)
