"""`/versions`, and `?version=` on items: changes to an item that wait to be promoted."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from aiohttp import web

from api.bodies import read_json, read_object
from api.commands import command_of
from api.keys import CONTENT_VERSIONS, CONTEXT, EMITTER, ITEMS, READER
from api.responses import data, raw_json
from api.rest.handlers import ItemHandlers
from domain.errors import Forbidden
from projections.database import Connection

VERSIONS = "directus_versions"
PUBLISHED = frozenset({"", "main"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """The version that a request asks for by key; ``raw`` with its changes as they were sent."""

    key: str
    raw: bool


def wanted_version(request: web.Request) -> Wanted | None:
    """The content version in the query string; None for the item itself."""
    if "version" not in request.rel_url.raw_query_string:
        return None
    key = request.query.get("version", "")
    raw = request.query.get("versionRaw", "false") != "false"
    return None if key in PUBLISHED else Wanted(key, raw)


async def read_as(request: web.Request, wanted: Wanted, collection: str, item: str | None) -> web.Response:
    """The item as a version has it; without a key that of a singleton."""
    context, reader = request[CONTEXT], request.app[READER]
    events = request.app[ITEMS].events
    query = await events.query(context, collection, request.rel_url.raw_query_string)
    place = (context.model, context.rights, context.caller, collection)

    async def ask(connection: Connection) -> bytes | None:
        if item is None:
            return await reader.singleton(*place, query, connection=connection)
        return await reader.item(*place, item, query, connection=connection)

    body = await request.app[CONTENT_VERSIONS].read(
        await command_of(request), context.model, collection, item, wanted.key, raw=wanted.raw, ask=ask
    )
    if body is not None:
        body = await events.envelope(context, collection, query, body, [] if item is None else [item])
    if body is None:
        raise Forbidden()
    return raw_json(body)


class VersionHandlers(ItemHandlers):
    """The handlers of `/versions`."""

    def collection(self, request: web.Request, context: object) -> str:
        """Always the versions' own."""
        return VERSIONS

    async def read_item(self, request: web.Request) -> web.StreamResponse:
        """GET of one version, its changes in the form that the item has."""
        context = request[CONTEXT]
        body = await request.app[ITEMS].read_one(context, VERSIONS, self.key(request), self.query(request))
        if body is None:
            raise Forbidden()
        found = orjson.loads(body)
        if not isinstance(found["data"].get("delta"), dict):
            return raw_json(body)
        command, key = await command_of(request), self.key(request)
        found["data"]["delta"] = await request.app[CONTENT_VERSIONS].shaped(command, context.model, key)
        return data(found["data"])


async def save(request: web.Request) -> web.Response:
    """POST /versions/:id/save: more changes; the item with all of the version over it."""
    changes = await read_json(request)
    versions, model = request.app[CONTENT_VERSIONS], request[CONTEXT].model
    return data(await versions.save(await command_of(request), model, request.match_info["key"], changes))


async def compare(request: web.Request) -> web.Response:
    """GET /versions/:id/compare: version and item side by side."""
    versions, model = request.app[CONTENT_VERSIONS], request[CONTEXT].model
    return data(await versions.compare(await command_of(request), model, request.match_info["key"]))


async def promote(request: web.Request) -> web.Response:
    """POST /versions/:id/promote: write the changes into the item."""
    body = await read_object(request)
    versions, context = request.app[CONTENT_VERSIONS], request[CONTEXT]
    key = request.match_info["key"]
    done = await versions.promote(await command_of(request), context.model, key, body)
    names = ("items.promote", f"{done.collection}.items.promote")
    request.app[EMITTER].act(names, done._asdict(), context.caller)
    return data(done.item)


def routes() -> list[web.RouteDef]:
    """The routes of `/versions` beyond those of all system collections."""
    return [
        web.post("/versions/{key}/save", save),
        web.get("/versions/{key}/compare", compare),
        web.post("/versions/{key}/promote", promote),
    ]
