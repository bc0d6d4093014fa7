"""The caller's own things: `/users/me`, `/roles/me`, `/policies/me/globals`, `/permissions/me`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiohttp import web

from api.bodies import read_object
from api.keys import AUTHENTICATOR, CONTEXT, ITEMS, Context
from api.responses import data, no_content, raw_json
from api.rest.handlers import raw_query
from domain.access.permissions import ACTIONS, Row, field_names
from domain.access.rights import ADMINISTRATOR, Action, Rights
from domain.errors import Forbidden, InvalidCredentials, InvalidPayload

USERS, ROLES = "directus_users", "directus_roles"


async def read_user(request: web.Request) -> web.Response:
    """GET /users/me: never refused; who may not read himself learns his id."""
    context = request[CONTEXT]
    if context.caller.share is not None:
        return data({"share": str(context.caller.share)})
    key = _user(context)
    try:
        body = await request.app[ITEMS].read_one(context, USERS, key, request.rel_url.raw_query_string)
    except Forbidden:
        body = None
    return data({"id": key}) if body is None else raw_json(body)


async def update_user(request: web.Request) -> web.Response:
    """PATCH /users/me: an ordinary update of the own row."""
    context = request[CONTEXT]
    key = _user(context)
    items = request.app[ITEMS]
    await items.update(context, USERS, [key], await read_object(request))
    body = await items.read_one(context, USERS, key, request.rel_url.raw_query_string)
    if body is None:
        raise Forbidden()
    return raw_json(body)


async def track_page(request: web.Request) -> web.Response:
    """PATCH /users/me/track/page: remember the last page, whatever the caller's rights."""
    context = request[CONTEXT]
    key = _user(context)
    page = (await read_object(request)).get("last_page")
    if not isinstance(page, str) or not page:
        raise InvalidPayload('"last_page" key is required')
    await request.app[ITEMS].update_silently(context, USERS, [key], {"last_page": page})
    return no_content()


async def read_roles(request: web.Request) -> web.Response:
    """GET /roles/me: the caller's roles, those he can't read by their id."""
    context = request[CONTEXT]
    if context.caller.user is None:
        raise Forbidden()
    keys = sorted(str(role) for role in context.caller.roles)
    if not keys:
        return data([])
    try:
        query = {**raw_query(request, request.rel_url.raw_query_string), "limit": -1, "sort": "id"}
        return raw_json(await request.app[ITEMS].read_many(context, ROLES, keys, query))
    except Forbidden:
        return data([{"id": key} for key in keys])


async def globals_of_policies(request: web.Request) -> web.Response:
    """GET /policies/me/globals: the flags of all policies together."""
    context = request[CONTEXT]
    caller = context.caller
    if caller.user is None:
        return data({"app_access": False})
    standing = await request.app[AUTHENTICATOR].rights.standing(context.model, caller)
    return data({"app_access": caller.app, "admin_access": caller.admin, "enforce_tfa": standing.enforce_tfa})


async def read_permissions(request: web.Request) -> web.Response:
    """GET /permissions/me: per collection and action how much is allowed."""
    context = request[CONTEXT]
    caller = context.caller
    if caller.user is None and caller.share is None:
        raise Forbidden()
    if context.rights.admin:
        full = {action: {"access": "full", "fields": ["*"]} for action in ACTIONS}
        return data(dict.fromkeys(context.model.collections, full))
    if caller.share is not None:
        return data(_summary(_rows_of(context.rights)))
    rows = await request.app[AUTHENTICATOR].rights.permission_rows(caller.policies, app=caller.app)
    return data(_summary(rows))


async def read_item_permissions(request: web.Request) -> web.Response:
    """GET /permissions/me/{collection}/{key}: what may be done with one item."""
    context = request[CONTEXT]
    if context.caller.user is None and context.caller.share is None:
        raise Forbidden()
    collection, key = request.match_info["collection"], request.match_info.get("key")
    actions: tuple[Action, ...] = ("update", "delete", "share")
    if context.rights.admin:
        return data({action: {"access": True} for action in actions})
    found = context.model.collections.get(collection)
    allowed: dict[str, dict[str, Any]] = {}
    for action in actions:
        may = found is not None and context.rights.may(collection, action)
        if may and key is not None:
            may = await request.app[ITEMS].reaches(context, collection, key, action)
        allowed[action] = {"access": may}
    if found is not None and found.singleton:
        allowed["update"] = await _singleton(request, context, collection)
    return data(allowed)


async def _singleton(request: web.Request, context: Context, collection: str) -> dict[str, Any]:
    """How the one item may be written: by the rules of creation while it is not there."""
    items = request.app[ITEMS]
    everything = replace(context, rights=ADMINISTRATOR)
    keys = await items.matching(everything, collection, {"limit": 1})
    action: Action = "update" if keys else "create"
    may = context.rights.may(collection, action)
    if may and keys:
        may = await items.reaches(context, collection, keys[0], action)
    caller = context.caller
    rows = await request.app[AUTHENTICATOR].rights.permission_rows(caller.policies, app=caller.app)
    summary = _access([row for row in rows if (row["collection"], row["action"]) == (collection, action)])
    return {"access": may, "fields": summary.get("fields", []), "presets": summary.get("presets", {})}


def _rows_of(rights: Rights) -> list[Row]:
    """Rights as the rows that would give them."""
    return [
        {
            "collection": collection,
            "action": action,
            "permissions": rule.filter,
            "presets": rule.presets,
            "fields": ["*"] if rule.fields is None else sorted(rule.fields),
        }
        for (collection, action), rules in rights.rules.items()
        for rule in rules
    ]


def _summary(rows: list[Row]) -> dict[str, Any]:
    found: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        found.setdefault(row["collection"], {}).setdefault(row["action"], []).append(row)
    return {name: {action: _access(by.get(action, [])) for action in ACTIONS} for name, by in found.items()}


def _access(rows: list[Row]) -> dict[str, Any]:
    if not rows:
        return {"access": "none"}
    fields = list(dict.fromkeys(name for row in rows for name in field_names(row["fields"])))
    presets: dict[str, Any] = {}
    for row in rows:
        presets |= row["presets"] or {}
    # One rule without conditions gives everything the action can reach.
    partial = any(row["permissions"] for row in rows)
    summary: dict[str, Any] = {"access": "partial" if partial else "full"}
    if fields:
        summary["fields"] = ["*"] if "*" in fields else fields
    if presets:
        summary["presets"] = presets
    return summary


def _user(context: Context) -> str:
    if context.caller.user is None:
        raise InvalidCredentials()
    return str(context.caller.user)


def routes() -> list[web.RouteDef]:
    """The routes below `/…/me`; they have to come before those with keys."""
    return [
        web.get("/users/me", read_user),
        web.patch("/users/me", update_user),
        web.patch("/users/me/track/page", track_page),
        web.get("/roles/me", read_roles),
        web.get("/policies/me/globals", globals_of_policies),
        web.get("/permissions/me", read_permissions),
        web.get("/permissions/me/{collection}", read_item_permissions),
        web.get("/permissions/me/{collection}/{key:[^/]+}", read_item_permissions),
    ]
