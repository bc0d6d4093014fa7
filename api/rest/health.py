"""`/server/health`: whether this process can work, and with what."""

from __future__ import annotations

import time
from typing import Any, TypeAlias

import orjson
from aiohttp import web

from api.keys import CONTEXT, DATABASE, LIMITER, POST, SETTINGS, STORAGE_HEALTH
from api.responses import raw_json
from api.rest.server import VERSION
from domain.errors import ServiceUnavailable
from projections.log.cursors import Overview, overview
from projections.time import decoding

THRESHOLD_MS = 150

Checks: TypeAlias = dict[str, list[dict[str, Any]]]


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
    behind: Checks = {f"followers:{entry.name}": [_follower_check(entry, threshold)] for entry in followers}
    if request.app[SETTINGS].history.external:
        behind["external:slot"] = [_slot_check(kept, request.app[SETTINGS].history.external_limit)]
    stores = await request.app[STORAGE_HEALTH].checks(request.app)
    behind |= await _limiter_checks(request.app)
    mail = await _mail_check(request.app)
    others = {found["status"] for (found,) in behind.values()} | {
        found["status"] for found in stores.values()
    }
    if mail["status"] != "ok":
        # A node is of use without its mail server.
        others.add("warn")
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
                "email:connection": [mail],
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


async def _mail_check(app: web.Application) -> dict[str, Any]:
    """Whether the mail server takes letters, as was seen within a minute."""
    trouble = await app[POST].trouble()
    status = {"status": "error", "output": trouble} if trouble else {"status": "ok"}
    return {**status, "componentType": "email"}


async def _limiter_checks(app: web.Application) -> Checks:
    """How long it takes to count a request, where requests are counted."""
    given = app[SETTINGS].limiter
    names = {"rateLimiter": given.enabled, "rateLimiterGlobal": given.global_enabled}
    found: Checks = {}
    for name in (name for name, enabled in names.items() if enabled):
        check: dict[str, Any] = {"componentType": "ratelimiter", "observedUnit": "ms"}
        try:
            milliseconds = await app[LIMITER].milliseconds()
            check |= {"status": "ok" if milliseconds <= THRESHOLD_MS else "warn"}
            check |= {"observedValue": round(milliseconds, 3), "threshold": THRESHOLD_MS}
        except ServiceUnavailable as error:
            check |= {"status": "error", "output": error.message}
        found[f"{name}:responseTime"] = [check]
    return found


def routes() -> list[web.RouteDef]:
    """The route."""
    return [web.get("/server/health", health)]
