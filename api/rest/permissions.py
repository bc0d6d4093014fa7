"""`/permissions`: stored rules, and behind them in lists the built-in ones of callers with app access."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from api.items import Raw
from api.keys import CONTEXT, ITEMS
from api.responses import raw_json
from api.rest.handlers import raw_query
from api.rest.resources import SYSTEM
from api.rest.system import SystemHandlers, resource_routes
from domain.access.minimal import MINIMAL
from domain.items.rules import failures

PATH = "/permissions"


class PermissionHandlers(SystemHandlers):
    """Lists know no limit, and end with the built-in rules that fit the filter."""

    async def _read(self, request: web.Request, collection: str, raw: Raw) -> web.StreamResponse:
        context = request[CONTEXT]
        query = {**(raw_query(request, raw) if isinstance(raw, str) else raw), "limit": -1}
        body = await request.app[ITEMS].read(context, collection, query)
        if not context.caller.app or "aggregate" in query or "groupBy" in query:
            return raw_json(body)
        answer = orjson.loads(body)
        answer["data"] += [row for row in MINIMAL if _fits(row, _filter(query))]
        return raw_json(orjson.dumps(answer))


def routes() -> list[web.RouteDef]:
    """The routes of `/permissions`."""
    resource = next(entry for entry in SYSTEM if entry.path == PATH)
    return resource_routes(resource, PermissionHandlers(resource))


def _filter(query: Mapping[str, Any]) -> Mapping[str, Any]:
    # The reader has refused whatever is no filter.
    found = query.get("filter")
    value = orjson.loads(found) if isinstance(found, str) and found else found
    return value if isinstance(value, Mapping) else {}


def _fits(row: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    return not failures(rule, {"id": None, **row})
