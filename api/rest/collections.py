"""`/collections`, `/fields`, `/relations`: parse, call the schema service, shape."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from api.bodies import read_json
from api.commands import command_of
from api.keys import CONTEXT, MODELS, SCHEMA, Context
from api.responses import data, no_content
from domain.errors import Forbidden, InvalidPayload
from domain.model import visible, wire


def concurrently(request: web.Request) -> bool:
    """Whether indexes are to be made without blocking writers: any value but the text ``false`` says so."""
    return request.query.get("concurrentIndexCreation", "false") != "false"


async def list_collections(request: web.Request) -> web.Response:
    """GET /collections; parameters have no effect."""
    context = await _fresh(request)
    return data(wire.collections(visible.collections(context.model, context.rights)))


async def search_collections(request: web.Request) -> web.Response:
    """SEARCH /collections: those named by ``keys``."""
    context = await _fresh(request)
    body = await read_json(request)
    keys = body.get("keys") if isinstance(body, dict) else None
    if keys is not None and not isinstance(keys, list):
        raise InvalidPayload('"keys" must be an array')
    found = wire.collections(visible.collections(context.model, context.rights))
    return data(found if keys is None else [entry for entry in found if entry["collection"] in keys])


async def read_collection(request: web.Request) -> web.Response:
    """GET /collections/:name."""
    context = await _fresh(request)
    return data(wire.collection(visible.collection(context.model, context.rights, _name(request))))


async def create_collections(request: web.Request) -> web.Response:
    """POST /collections: one or an array of them."""
    command, body = await _write(request)
    service = request.app[SCHEMA]
    return data(await service.create_collections(command, body, concurrently=concurrently(request)))


async def update_collections(request: web.Request) -> web.Response:
    """PATCH /collections: an array."""
    command, body = await _write(request)
    return data(await request.app[SCHEMA].update_collections(command, body))


async def update_collection(request: web.Request) -> web.Response:
    """PATCH /collections/:name."""
    command, body = await _write(request)
    return data(await request.app[SCHEMA].update_collection(command, _name(request), body))


async def delete_collection(request: web.Request) -> web.Response:
    """DELETE /collections/:name."""
    await request.app[SCHEMA].delete_collection(await command_of(request), _name(request))
    return no_content()


async def _fresh(request: web.Request) -> Context:
    """The request on the model as it is now: tables that others have made are to be listed at once."""
    context = request[CONTEXT]
    if context.rights.admin:
        context.model = await request.app[MODELS].refresh()
    return context


async def _write(request: web.Request) -> tuple[Any, Any]:
    # Who may not write learns nothing about his body.
    if not request[CONTEXT].rights.admin:
        raise Forbidden()
    return await command_of(request), await read_json(request)


def _name(request: web.Request) -> str:
    return request.match_info["collection"]


def routes() -> list[web.RouteDef]:
    """The routes of `/collections`."""
    return [
        web.get("/collections", list_collections),
        web.route("SEARCH", "/collections", search_collections),
        web.post("/collections", create_collections),
        web.patch("/collections", update_collections),
        web.get("/collections/{collection}", read_collection),
        web.patch("/collections/{collection}", update_collection),
        web.delete("/collections/{collection}", delete_collection),
    ]
