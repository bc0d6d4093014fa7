"""`/fields`: parse, call the schema service, shape."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from api.bodies import read_json
from api.commands import command_of
from api.keys import CONTEXT, SCHEMA
from api.responses import data, no_content
from api.rest.collections import concurrently
from domain.errors import Forbidden
from domain.model import visible, wire


async def list_fields(request: web.Request) -> web.Response:
    """GET /fields and /fields/:collection; parameters have no effect."""
    context = request[CONTEXT]
    name = request.match_info.get("collection")
    return data(wire.fields(visible.fields(context.model, context.rights, name)))


async def read_field(request: web.Request) -> web.Response:
    """GET /fields/:collection/:field."""
    context = request[CONTEXT]
    owner, found = visible.field(context.model, context.rights, *_place(request))
    return data(wire.field(found, owner))


async def create_field(request: web.Request) -> web.Response:
    """POST /fields/:collection; 204 when nothing was asked for."""
    command, body = await _write(request)
    name = request.match_info["collection"]
    found = await request.app[SCHEMA].create_field(command, name, body, concurrently=concurrently(request))
    return no_content() if found is None else data(found)


async def update_fields(request: web.Request) -> web.Response:
    """PATCH /fields/:collection: an array, one after another."""
    command, body = await _write(request)
    name = request.match_info["collection"]
    return data(
        await request.app[SCHEMA].update_fields(command, name, body, concurrently=concurrently(request))
    )


async def update_field(request: web.Request) -> web.Response:
    """PATCH /fields/:collection/:field."""
    command, body = await _write(request)
    collection, field = _place(request)
    service = request.app[SCHEMA]
    return data(
        await service.update_field(command, collection, field, body, concurrently=concurrently(request))
    )


async def delete_field(request: web.Request) -> web.Response:
    """DELETE /fields/:collection/:field."""
    await request.app[SCHEMA].delete_field(await command_of(request), *_place(request))
    return no_content()


async def _write(request: web.Request) -> tuple[Any, Any]:
    if not request[CONTEXT].rights.admin:
        raise Forbidden()
    return await command_of(request), await read_json(request)


def _place(request: web.Request) -> tuple[str, str]:
    return request.match_info["collection"], request.match_info["field"]


def routes() -> list[web.RouteDef]:
    """The routes of `/fields`."""
    return [
        web.get("/fields", list_fields),
        web.get("/fields/{collection}", list_fields),
        web.post("/fields/{collection}", create_field),
        web.patch("/fields/{collection}", update_fields),
        web.get("/fields/{collection}/{field}", read_field),
        web.patch("/fields/{collection}/{field}", update_field),
        web.delete("/fields/{collection}/{field}", delete_field),
    ]
