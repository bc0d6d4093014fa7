"""`/utils/undo`, `/utils/diff`, `/utils/blame`: what happened, who did it, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web

from api.bodies import read_object
from api.commands import command_of
from api.keys import CONTEXT, DATABASE, ITEMS, UNDO
from api.responses import data
from domain.errors import Forbidden, InvalidPayload, InvalidQuery
from domain.log.moments import parse_when
from domain.model import join_key, split_key
from domain.model.keys import key_text
from projections.log.positions import last_position
from projections.time.diff import blame as find_blame
from projections.time.diff import diff_counts, diff_items
from projections.time.moments import resolve, settle
from projections.time.redaction import redact_items
from projections.time.undo import Asked

MOST = 10_000
"""Items that one answer of `/utils/diff` holds at most."""


async def undo(request: web.Request) -> web.Response:
    """POST /utils/undo; with ``?dry=true`` nothing changes."""
    body = await read_object(request)
    skip = body.get("skip", False)
    if not isinstance(skip, bool):
        raise InvalidPayload('"skip" must be a boolean')
    dry = request.query.get("dry") == "true"
    done = await request.app[UNDO].undo(await command_of(request), _asked(body), skip=skip, dry=dry)
    return data({"undone": done.items, "conflicts": done.conflicts, "schema": done.schema})


def _asked(body: dict[str, Any]) -> Asked:
    given = [name for name in ("request", "activity", "user") if body.get(name) is not None]
    if len(given) != 1:
        raise InvalidPayload('One of "request", "activity" and "user" is required')
    value = body[given[0]]
    if given[0] == "activity":
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**63:
            raise InvalidPayload('"activity" must be the number of an entry of the activity')
        return Asked(activity=value)
    if given[0] == "request":
        return Asked(request=_uuid(value, "request"))
    until = _moment(body.get("to"), "to") if body.get("to") is not None else datetime.now(UTC)
    return Asked(user=_uuid(value, "user"), since=_moment(body.get("from"), "from"), until=until)


def _uuid(value: Any, name: str) -> UUID:
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise InvalidPayload(f'"{name}" must be a UUID') from None


def _moment(value: Any, name: str) -> datetime:
    moment = parse_when(value, name) if isinstance(value, str) else None
    if not isinstance(moment, datetime):
        raise InvalidPayload(f'"{name}" must be a time, or a time ago such as 10m')
    return moment


async def diff(request: web.Request) -> web.Response:
    """GET /utils/diff: what changed between two moments; of a collection with values, else in numbers."""
    if not request[CONTEXT].rights.admin:
        raise Forbidden()
    given = request.query
    if "from" not in given:
        raise InvalidQuery('"from" is required')
    database = request.app[DATABASE]
    await settle(database)
    async with database.connection() as connection:
        earlier = await resolve(connection, parse_when(given["from"], "from"))
        end = await last_position(connection)
        later = await resolve(connection, parse_when(given["to"], "to") if "to" in given else end)
    if later.position < earlier.position:
        raise InvalidQuery('"to" is before "from"')
    positions = {"from": earlier.position, "to": later.position}
    name = given.get("collection")
    if name is None:
        counts = await diff_counts(database, earlier, later)
        return data({**positions, "collections": [asdict(one) for one in counts]})
    if name not in request[CONTEXT].model.collections:
        raise Forbidden.collection(name)
    limit, offset = _number(given, "limit", 100), _number(given, "offset", 0)
    found, items = await diff_items(database, earlier, later, name, limit=limit, offset=offset)
    return data({**positions, **asdict(found), "items": [asdict(item) for item in items]})


async def blame(request: web.Request) -> web.Response:
    """GET /utils/blame/{collection}/{key}: who gave each field its present value, when, in which request."""
    context, name, key = request[CONTEXT], request.match_info["collection"], request.match_info["key"]
    answer = await request.app[ITEMS].read_one(context, name, key, {"fields": ["*"]})
    if answer is None:
        raise Forbidden()
    entry = context.model.collections[name]
    seen = orjson.loads(answer)["data"]
    item = join_key(split_key(key, len(entry.primary_key)))
    await request.app[ITEMS].reads.recalling.item(name, item)
    return data(
        [
            {
                "field": one.field,
                "activity": one.seq,
                "timestamp": one.at,
                "user": one.actor,
                "request": one.request,
                "event": one.topic,
            }
            for one in await find_blame(request.app[DATABASE], name, item)
            # Null may be a mask: that it hides a value, and whose, is not told.
            if seen.get(one.field) is not None or context.rights.shows_in_every_row(name, one.field)
        ]
    )


async def redact(request: web.Request) -> web.Response:
    """POST /utils/redact: erase ``fields`` (all when not given) of ``items`` of a ``collection`` for good."""
    body = await read_object(request)
    if not request[CONTEXT].rights.admin:
        raise Forbidden()
    name, items, fields = body.get("collection"), body.get("items"), body.get("fields")
    if not isinstance(name, str):
        raise InvalidPayload('"collection" is required')
    if not isinstance(items, list) or not items:
        raise InvalidPayload('"items" must be an array of keys')
    if fields is not None and not (
        isinstance(fields, list) and fields and all(isinstance(one, str) for one in fields)
    ):
        raise InvalidPayload('"fields" must be an array of names')
    erased = await redact_items(
        request.app[DATABASE],
        request[CONTEXT].model,
        await command_of(request),
        name,
        [key_text(key) for key in items],
        fields,
    )
    return data({"events": erased})


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidQuery(f'"{name}" must be a whole number')
    return min(int(text), MOST) if name == "limit" else int(text)


def routes() -> list[web.RouteDef]:
    """The routes of history."""
    return [
        web.post("/utils/undo", undo),
        web.post("/utils/redact", redact),
        web.get("/utils/diff", diff),
        web.get("/utils/blame/{collection}/{key}", blame),
    ]
