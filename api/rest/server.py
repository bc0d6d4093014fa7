"""`/server`: is it there, is it well, what is it."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

import orjson
from aiohttp import web

from api.keys import CONTEXT, DATABASE, ITEMS, MODELS, REQUEST_ID, SETTINGS, STORAGE_HEALTH, Context
from api.realtime.logs import allowed
from api.responses import data, empty, raw_json
from domain.access.caller import SYSTEM
from domain.access.rights import ADMINISTRATOR
from domain.errors import ServiceUnavailable
from domain.settings import RealtimeSettings
from domain.settings_files import FilesSettings
from projections.log.cursors import Overview, overview
from projections.time import decoding

VERSION = "11.17.4"
THRESHOLD_MS = 150
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
    project = orjson.loads(await request.app[ITEMS].read_singleton(internal, "directus_settings", query))[
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


async def health(request: web.Request) -> web.Response:
    """GET /server/health: 503 when a part is down; the parts are shown to administrators."""
    database = request.app[DATABASE]
    began = time.perf_counter()
    status = "ok"
    check: dict[str, Any] = {"componentType": "datastore", "observedUnit": "ms", "threshold": THRESHOLD_MS}
    followers: list[Overview] = []
    kept: int | None = None
    try:
        async with database.connection() as connection:
            followers = await overview(connection)
            kept = await decoding.kept(connection, decoding.slot_of(database))
    except ServiceUnavailable as error:
        status = "error"
        check["output"] = error.message
    milliseconds = round((time.perf_counter() - began) * 1000, 3)
    if status == "ok" and milliseconds > THRESHOLD_MS:
        status = "warn"
    check |= {"status": status, "observedValue": milliseconds}
    threshold = request.app[SETTINGS].metrics.lag_threshold
    behind = {f"followers:{entry.name}": [_follower_check(entry, threshold)] for entry in followers}
    if request.app[SETTINGS].history.external:
        behind["external:slot"] = [_slot_check(kept, request.app[SETTINGS].history.external_limit)]
    stores = await request.app[STORAGE_HEALTH].checks(request.app)
    others = {found["status"] for (found,) in behind.values()} | {
        found["status"] for found in stores.values()
    }
    status = next((worst for worst in ("error", "warn") if worst in {status, *others}), "ok")
    answer: dict[str, Any] = {"status": status}
    if request[CONTEXT].rights.admin:
        answer |= {
            "releaseId": VERSION,
            "serviceId": request.app[SETTINGS].server.public_url,
            "checks": {
                "pg:responseTime": [check],
                **_pool_checks(database.statistics()),
                **{name: [found] for name, found in stores.items()},
                **behind,
            },
        }
    response = raw_json(orjson.dumps(answer), 503 if status == "error" else 200)
    response.headers["Content-Type"] = "application/health+json; charset=utf-8"
    return response


def _follower_check(entry: Overview, threshold: int) -> dict[str, Any]:
    """How far a follower is behind; its last error while it is in trouble."""
    trouble = entry.error or (f"{entry.parked} events were parked" if entry.parked else None)
    return {
        "status": "warn" if trouble or entry.lag > threshold else "ok",
        "componentType": "component",
        "observedUnit": "events",
        "observedValue": entry.lag,
        "threshold": threshold,
        **({"output": trouble} if trouble else {}),
    }


def _slot_check(kept: int | None, limit: int) -> dict[str, Any]:
    """How much of the server's log is kept for changes by others; a warning from half of the limit on."""
    return {
        "status": "ok" if kept is not None and kept <= limit // 2 else "warn",
        "componentType": "datastore",
        "observedUnit": "bytes",
        "observedValue": kept,
        "threshold": limit // 2,
        **({} if kept is not None else {"output": "no worker looks for changes by others"}),
    }


def _pool_checks(pool: dict[str, int]) -> dict[str, Any]:
    available = pool.get("pool_available", 0)
    observed = {
        "pg:connectionsAvailable": available,
        "pg:connectionsUsed": pool.get("pool_size", 0) - available,
    }
    return {
        name: [{"status": "ok", "componentType": "datastore", "observedValue": value}]
        for name, value in observed.items()
    }


def routes() -> list[web.RouteDef]:
    """The routes of `/server`."""
    return [
        web.get("/server/ping", ping),
        web.get("/server/info", info),
        web.get("/server/health", health),
    ]
