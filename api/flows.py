"""``/flows/trigger``: flows that a request sets off, by anybody (webhook) or by a user at items (manual)."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web

from api.background import in_background
from api.batch import key_texts
from api.bodies import read_json
from api.keys import CONTEXT, FLOWS, ITEMS, Context
from api.responses import dumps, no_content, raw_json
from domain.errors import Forbidden, RouteNotFound
from domain.flows.model import Flow
from domain.flows.redaction import redacted
from domain.flows.running import raised, returned

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


async def trigger(request: web.Request) -> web.Response:
    """GET and POST /flows/trigger/{id}."""
    key = request.match_info["key"]
    if not _UUID.fullmatch(key):
        raise RouteNotFound(request.path)
    flow = (await request.app[FLOWS].store.load()).get(key.lower())
    if flow is None:
        raise Forbidden()
    body = await read_json(request) if request.method == "POST" else {}
    if flow.trigger == "webhook":
        if request.method != str(flow.options.get("method") or "GET").upper():
            raise Forbidden()
        wanted = flow.options.get("return", "$last")
    elif flow.trigger == "manual" and request.method == "POST":
        await _permit_manual(request, flow, body)
        wanted = "$last"
    else:
        raise Forbidden()
    return await _run(request, flow, _trigger(request, key, body), wanted)


def _trigger(request: web.Request, key: str, body: Any) -> dict[str, Any]:
    query: dict[str, Any] = {}
    for name in request.query:
        values = request.query.getall(name)
        query[name] = values[0] if len(values) == 1 else values
    return {
        "path": f"/trigger/{key}",
        "query": query,
        "body": body,
        "method": request.method,
        "headers": {name.lower(): value for name, value in request.headers.items()},
    }


async def _run(request: web.Request, flow: Flow, data: dict[str, Any], wanted: Any) -> web.Response:
    context = request[CONTEXT]
    flows = request.app[FLOWS]
    running = flows.run(flow, data, context.caller, UUID(context.request))
    if flow.options.get("async"):
        in_background(request.app, running)
        return no_content()
    run = await running
    if run.error is not None and flow.options.get("error_on_reject"):
        raise raised(run)
    found = returned(run, wanted)
    if wanted == "$all":
        # The caller's own token is nobody else's business, and this may be kept by whoever asked.
        found = redacted(found, run.data["$env"], run.secrets)
    if not found and not isinstance(found, list | dict):
        return no_content()
    return raw_json(dumps(orjson.loads(orjson.dumps(found, default=str))))


async def _permit_manual(request: web.Request, flow: Flow, body: Any) -> None:
    """A manual flow is for users who can read the items it is started at.

    Raises:
        Forbidden
    """
    context: Context = request[CONTEXT]
    members = body if isinstance(body, dict) else {}
    collection, keys = members.get("collection"), members.get("keys")
    offered = flow.options.get("collections")
    allowed = isinstance(collection, str) and isinstance(offered, list) and collection in offered
    if context.caller.user is None or not allowed:
        raise Forbidden()
    if flow.options.get("requireSelection", True) and not (isinstance(keys, list) and keys):
        raise Forbidden()
    if context.rights.admin:
        return
    found = context.model.collections.get(str(collection))
    if found is None or not context.rights.may(str(collection), "read"):
        raise Forbidden()
    if isinstance(keys, list) and keys:
        texts = key_texts(keys)
        query = {"fields": list(found.primary_key), "limit": -1}
        seen = await request.app[ITEMS].reads.many(context, str(collection), texts, query)
        if len(orjson.loads(seen)["data"]) != len(set(texts)):
            raise Forbidden()


def routes() -> list[web.RouteDef]:
    """The routes of triggers."""
    return [web.get("/flows/trigger/{key}", trigger), web.post("/flows/trigger/{key}", trigger)]
