"""`/server/specs`: what streams (`events`) and REST (`oas`) look like, as far as the caller may."""

from __future__ import annotations

import orjson
from aiohttp import web

from api.keys import CONTEXT, SETTINGS
from api.responses import dumps, raw_json
from api.rest.resources import SYSTEM
from api.rest.server import VERSION as REFERENCE
from domain.errors import Forbidden, RouteNotFound
from domain.model.openapi import specification
from domain.model.visible import readable
from domain.streams.specs import document

VERSION = "0.1.0"
PATHS = {**{entry.collection: entry.path for entry in SYSTEM}, "directus_settings": "/settings"}


async def events(request: web.Request) -> web.Response:
    """GET /server/specs/events: an AsyncAPI 3 document, without envelope."""
    context = request[CONTEXT]
    if context.caller.user is None:
        raise Forbidden
    kafka = request.app[SETTINGS].kafka
    found = document(
        (
            readable(collection, context.rights)
            for name, collection in context.model.collections.items()
            if collection.writable and context.rights.may(name, "read")
        ),
        version=VERSION,
        pattern=kafka.topic,
        schema_topic=kafka.schema_topic,
        servers=kafka.bootstrap_servers if context.rights.admin else (),
    )
    return raw_json(orjson.dumps(found))


async def openapi(request: web.Request) -> web.Response:
    """GET /server/specs/oas: an OpenAPI 3.0 document, without envelope."""
    settings, context = request.app[SETTINGS].server, request[CONTEXT]
    if not settings.openapi:
        raise RouteNotFound(request.path)
    found = specification(context.model, context.rights, settings.public_url, REFERENCE, PATHS)
    return raw_json(dumps(found))


def routes() -> list[web.RouteDef]:
    """The routes of the descriptions."""
    return [web.get("/server/specs/events", events), web.get("/server/specs/oas", openapi)]
