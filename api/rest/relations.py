"""`/relations`: parse, call the schema service, shape."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from api.bodies import read_json
from api.commands import command_of
from api.keys import CONTEXT, SCHEMA
from api.responses import data, no_content
from domain.errors import Forbidden
from domain.model import visible, wire


async def list_relations(request: web.Request) -> web.Response:
    """GET /relations and /relations/:collection: constrained ones first."""
    context = request[CONTEXT]
    found = visible.relations(context.model, context.rights, request.match_info.get("collection"))
    return data(wire.relations(found))


async def read_relation(request: web.Request) -> web.Response:
    """GET /relations/:collection/:field."""
    context = request[CONTEXT]
    return data(wire.relation(visible.relation(context.model, context.rights, *_place(request)), single=True))


async def create_relation(request: web.Request) -> web.Response:
    """POST /relations."""
    command, body = await _write(request)
    return data(await request.app[SCHEMA].create_relation(command, body))


async def update_relation(request: web.Request) -> web.Response:
    """PATCH /relations/:collection/:field."""
    command, body = await _write(request)
    return data(await request.app[SCHEMA].update_relation(command, *_place(request), body))


async def delete_relation(request: web.Request) -> web.Response:
    """DELETE /relations/:collection/:field."""
    await request.app[SCHEMA].delete_relation(await command_of(request), *_place(request))
    return no_content()


async def _write(request: web.Request) -> tuple[Any, Any]:
    if not request[CONTEXT].rights.admin:
        raise Forbidden()
    return await command_of(request), await read_json(request)


def _place(request: web.Request) -> tuple[str, str]:
    return request.match_info["collection"], request.match_info["field"]


def routes() -> list[web.RouteDef]:
    """The routes of `/relations`."""
    return [
        web.get("/relations", list_relations),
        web.post("/relations", create_relation),
        web.get("/relations/{collection}", list_relations),
        web.get("/relations/{collection}/{field}", read_relation),
        web.patch("/relations/{collection}/{field}", update_relation),
        web.delete("/relations/{collection}/{field}", delete_relation),
    ]
