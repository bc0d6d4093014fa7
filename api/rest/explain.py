"""GET /permissions/explain: why a caller may do something, or may not. For administrators."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web

from api.keys import AUTHENTICATOR, CONTEXT, READER
from api.responses import data
from domain.access.caller import Caller
from domain.access.permissions import ACTIONS
from domain.access.rights import Action
from domain.errors import Forbidden, InvalidQuery
from projections.system.explaining import Explainer, Question

_NAMES = frozenset({"user", "role", "ip", "action", "collection", "item", "fields", "access_token"})


async def explain(request: web.Request) -> web.Response:
    """Parameters: ``collection``; optional ``user`` (none: anonymous) or ``role``, ``action``, ``item``,
    ``fields``, ``ip``.
    """
    context = request[CONTEXT]
    if not context.rights.admin:
        raise Forbidden()
    given = request.query
    for name in given:
        if name not in _NAMES:
            raise InvalidQuery(f'Unknown parameter "{name}"')
    if not given.get("collection"):
        raise InvalidQuery('"collection" is required')
    rights = request.app[AUTHENTICATOR].rights
    user, role = _uuid(given.get("user"), "user"), _uuid(given.get("role"), "role")
    if user is not None:
        known = await rights.roles_of([user])
        if user not in known:
            raise InvalidQuery('"user" is unknown')
        role = known[user]
    question = Question(
        Caller(user=user, role=role, ip=given.get("ip", context.caller.ip)),
        _action(given.get("action", "read")),
        given["collection"],
        given.get("item"),
        tuple(name for name in given.get("fields", "").split(",") if name),
    )
    return data(await Explainer(rights, request.app[READER]).explain(context.model, question))


def routes() -> list[web.RouteDef]:
    """The route; it has to come before those of `/permissions` with a key."""
    return [web.get("/permissions/explain", explain)]


def _action(text: str) -> Action:
    for action in ACTIONS:
        if text == action:
            return action
    raise InvalidQuery(f'"action" must be one of [{", ".join(ACTIONS)}]')


def _uuid(text: str | None, name: str) -> UUID | None:
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise InvalidQuery(f'"{name}" must be a UUID') from None
