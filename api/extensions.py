"""Endpoints of installed extensions, below `/{their name}`, and `/extensions`: which ones are in use.

They can add to Acta, but take no place that is ours.
"""

from __future__ import annotations

import logging
import re
from uuid import NAMESPACE_URL, uuid5

from aiohttp import web
from aiohttp.typedefs import Handler

from api.keys import CONTEXT, EXTENSIONS, SETTINGS
from api.responses import data, dumps, no_content, raw_json
from domain.errors import ExtensionFailed, Forbidden
from services.extensions.calling import call, plain
from services.extensions.context import Context
from services.extensions.loading import Extensions, Loaded
from services.extensions.registering import ExtensionError, Route

_NAME = re.compile(r"[\w-]+")
log = logging.getLogger("acta.extensions")


def custom_routes(app: web.Application, extensions: Extensions) -> list[web.RouteDef]:
    """The routes of all endpoints, but those of one whose name is a place of ours.

    Raises:
        ExtensionError: instead, with ``EXTENSIONS_MUST_LOAD``.
    """
    ours = {resource.canonical.split("/")[1] for resource in app.router.resources()}
    for name in [name for name in extensions.endpoints if name in ours or not _NAME.fullmatch(name)]:
        said = f"the endpoint {name} can't be used: /{name} is taken, or no place"
        if app[SETTINGS].extensions.must_load:
            raise ExtensionError(said)
        log.error("%s", said)
        del extensions.endpoints[name]
        extensions.loaded = [
            entry for entry in extensions.loaded if (entry.kind, entry.name) != ("endpoint", name)
        ]
    return [
        web.route(
            route.method, f"/{name}{'' if route.path == '/' else route.path}", _handler(name, route, own)
        )
        for name, (routes, own) in extensions.endpoints.items()
        for route in routes
    ]


def _handler(name: str, route: Route, own: Context) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        context = own.called(request[CONTEXT].caller)
        found = await call(name, own.log, route.function, request, context, seconds=None)
        if isinstance(found, web.StreamResponse):
            return found
        if found is None:
            return no_content()
        try:
            return raw_json(dumps(plain(found)))
        except TypeError as error:
            own.log.error("extension %s answered rubbish to %s: %s", name, request.path, error)
            raise ExtensionFailed(name) from error

    return answer


async def listed(request: web.Request) -> web.Response:
    """GET /extensions: what is installed and in use, for administrators."""
    if not request[CONTEXT].rights.admin:
        raise Forbidden()
    return data(described(request.app[EXTENSIONS]))


def described(extensions: Extensions) -> list[dict[str, object]]:
    """The extensions in use, as they are listed."""
    return [_described(entry) for entry in extensions.loaded]


def _described(entry: Loaded) -> dict[str, object]:
    key = str(uuid5(NAMESPACE_URL, f"acta:extension:{entry.kind}:{entry.name}"))
    return {
        "id": key,
        "bundle": None,
        "meta": {"enabled": True, "id": key, "folder": entry.name, "source": "module", "bundle": None},
        "schema": {
            "path": entry.package,
            "name": entry.name,
            "version": entry.version,
            "type": entry.kind,
            "entrypoint": entry.value,
            "host": None,
            "local": False,
        },
    }


def routes() -> list[web.RouteDef]:
    """The route of the list."""
    return [web.get("/extensions", listed)]
