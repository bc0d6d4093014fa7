"""`GET /server/specs/events`: what the streams look like, as far as the caller may read."""

from __future__ import annotations

import orjson
from aiohttp import web

from api.keys import CONTEXT, SETTINGS
from api.responses import raw_json
from domain.errors import Forbidden
from domain.streams.specs import document

VERSION = "0.1.0"


async def events(request: web.Request) -> web.Response:
    """GET /server/specs/events: an AsyncAPI 3 document, without envelope."""
    context = request[CONTEXT]
    if context.caller.user is None:
        raise Forbidden
    kafka = request.app[SETTINGS].kafka
    found = document(
        (
            collection
            for name, collection in context.model.collections.items()
            if collection.writable and context.rights.may(name, "read")
        ),
        version=VERSION,
        pattern=kafka.topic,
        schema_topic=kafka.schema_topic,
        servers=kafka.bootstrap_servers if context.rights.admin else (),
    )
    return raw_json(orjson.dumps(found))


def routes() -> list[web.RouteDef]:
    """The routes of the descriptions."""
    return [web.get("/server/specs/events", events)]
