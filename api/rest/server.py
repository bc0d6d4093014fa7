"""`/server`: is it there, what is it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import orjson
from aiohttp import web

from api.keys import CONTEXT, ITEMS, MODELS, REQUEST_ID, SETTINGS, Context
from api.realtime.logs import allowed
from api.responses import data, empty
from domain.access.caller import SYSTEM
from domain.access.rights import ADMINISTRATOR
from domain.settings import RealtimeSettings
from domain.settings_files import FilesSettings

VERSION = "11.17.4"
PUBLIC_FIELDS = (
    "project_name", "project_descriptor", "project_logo", "project_color", "default_appearance",
    "default_theme_light", "default_theme_dark", "theme_light_overrides", "theme_dark_overrides",
    "default_language", "public_foreground", "public_favicon", "public_note", "custom_css",
    "public_registration", "public_registration_verify_email", "public_background",
)  # fmt: skip


async def ping(request: web.Request) -> web.Response:
    """GET /server/ping."""
    response = empty()
    response.headers["Content-Type"] = "text/html; charset=utf-8"
    response.body = b"pong"
    return response


async def info(request: web.Request) -> web.Response:
    """GET /server/info: the project for everybody, limits and features for users."""
    context = request[CONTEXT]
    internal = Context(request[REQUEST_ID], SYSTEM, ADMINISTRATOR, request.app[MODELS].current)
    query = urlencode(
        {"fields": ",".join((*PUBLIC_FIELDS, "public_background.id", "public_background.type"))}
    )
    project = orjson.loads(await request.app[ITEMS].reads.singleton(internal, "directus_settings", query))[
        "data"
    ]
    answer: dict[str, Any] = {"project": {name: project.get(name) for name in PUBLIC_FIELDS}}
    answer["setupCompleted"] = True
    if context.caller.user is not None:
        limits, rates = request.app[SETTINGS].query, request.app[SETTINGS].limiter
        answer |= {
            "mcp_enabled": False,
            "ai_enabled": False,
            "files": {"mimeTypeAllowList": list(request.app[SETTINGS].files.mime_types)},
            **_uploads(request.app[SETTINGS].files),
            "rateLimit": rates.enabled and {"points": rates.points, "duration": rates.duration},
            "rateLimitGlobal": rates.global_enabled
            and {"points": rates.global_points, "duration": rates.global_duration},
            "extensions": {"limit": None},
            "queryLimit": {"default": limits.limit_default, "max": limits.limit_max or -1},
            "websocket": _sockets(request.app[SETTINGS].realtime, context.rights.admin),
            "version": VERSION,
        }
    return data(answer)


def _uploads(settings: FilesSettings) -> dict[str, Any]:
    """How clients should upload, where it is limited or can be resumed."""
    found: dict[str, Any] = {}
    if settings.max_upload_concurrency is not None:
        found["maxConcurrency"] = settings.max_upload_concurrency
    if settings.tus:
        found |= {"tus": True, "chunkSize": settings.tus_chunk_size}
    return {"uploads": found} if found else {}


def _sockets(settings: RealtimeSettings, admin: bool) -> dict[str, Any] | bool:
    """What `/server/info` tells of the sockets; the log levels to administrators only."""
    if not settings.enabled:
        return False
    rest = {"authentication": settings.rest_auth, "path": settings.rest_path}
    graphql = {"authentication": settings.graphql_auth, "path": settings.graphql_path}
    levels = {"allowedLogLevels": allowed(settings.logs_level)}
    return {
        "rest": settings.rest_enabled and rest,
        "graphql": settings.graphql_enabled and graphql,
        "heartbeat": settings.heartbeat_enabled and settings.heartbeat_period,
        "collaborativeEditing": False,
        **({"logs": settings.logs_enabled and levels} if admin else {}),
    }


def routes() -> list[web.RouteDef]:
    """The routes of `/server`."""
    return [
        web.get("/server/ping", ping),
        web.get("/server/info", info),
    ]
