"""`/webhooks`: what was delivered, what was not, and once more. For administrators."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from api.bodies import read_object
from api.keys import CONTEXT, DATABASE, MODELS
from api.responses import data, no_content
from domain.access.secrets import MASK
from domain.errors import Forbidden, InvalidPayload, InvalidQuery
from domain.webhooks.model import body_of, iso
from projections.webhooks import listing
from projections.webhooks.listing import Choice, Delivery, Replay

LIMIT: Final = 100
MOST: Final = 1000
STATUSES: Final = ("waiting", "blocked", "delivered", "dead")
_LARGEST_INT: Final = 2**31 - 1
_LARGEST_BIGINT: Final = 2**63 - 1


async def list_deliveries(request: web.Request) -> web.Response:
    """GET /webhooks/{key}/deliveries: the newest first; `status`, `collection`, `item`, `limit`, `offset`."""
    webhook, query = await _webhook(request), request.query
    status = query.get("status")
    if status is not None and status not in STATUSES:
        raise InvalidQuery(f'"status" must be one of {", ".join(STATUSES)}')
    choice = Choice(
        webhook,
        status=status,
        collection=_text(request, "collection"),
        item=_text(request, "item"),
        limit=_count(request, "limit", LIMIT, MOST),
        offset=_count(request, "offset", 0, _LARGEST_INT),
    )
    found = await listing.deliveries(request.app[DATABASE], choice)
    return data([_delivery(request, entry) for entry in found])


async def read_delivery(request: web.Request) -> web.Response:
    """GET /webhooks/{key}/deliveries/{delivery}."""
    choice = Choice(await _webhook(request), delivery=_number(request, "delivery", _LARGEST_BIGINT))
    found = await listing.deliveries(request.app[DATABASE], choice)
    if not found:
        raise Forbidden()
    return data(_delivery(request, found[0]))


async def redeliver(request: web.Request) -> web.Response:
    """POST /webhooks/{key}/deliveries/{delivery}/redeliver: try it now, whatever became of it."""
    webhook, delivery = await _webhook(request), _number(request, "delivery", _LARGEST_BIGINT)
    if not await listing.again(request.app[DATABASE], webhook, delivery):
        raise Forbidden()
    return no_content()


async def begin_replay(request: web.Request) -> web.Response:
    """POST /webhooks/{key}/replays: deliver a range of positions once more."""
    webhook, body = await _webhook(request), await read_object(request)
    first, last = _position(body, "from"), _position(body, "to")
    if first is None:
        raise InvalidPayload('"from" is required')
    if last is not None and last < first:
        raise InvalidPayload('"to" must not be before "from"')
    collection = body.get("collection")
    if collection is not None and not isinstance(collection, str):
        raise InvalidPayload('"collection" must be a text')
    return data(_replay(await listing.begin_replay(request.app[DATABASE], webhook, first, last, collection)))


async def list_replays(request: web.Request) -> web.Response:
    """GET /webhooks/{key}/replays."""
    webhook = await _webhook(request)
    return data([_replay(entry) for entry in await listing.replays(request.app[DATABASE], webhook, LIMIT)])


async def _webhook(request: web.Request) -> int:
    """The webhook of the path. Raises Forbidden where there is none, and for everybody but administrators."""
    if not request[CONTEXT].rights.admin:
        raise Forbidden()
    number = _number(request, "key", _LARGEST_INT)
    if not await listing.exists(request.app[DATABASE], number):
        raise Forbidden()
    return number


def _number(request: web.Request, name: str, largest: int) -> int:
    text = request.match_info[name]
    if not (text.isascii() and text.isdigit() and len(text) < 20) or int(text) > largest:
        raise Forbidden()
    return int(text)


def _text(request: web.Request, name: str) -> str | None:
    text = request.query.get(name)
    if text is not None and "\0" in text:
        raise InvalidQuery(f'"{name}" can\'t contain NUL characters')
    return text


def _count(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 11) or int(text) > most:
        raise InvalidQuery(f'"{name}" must be a number between 0 and {most}')
    return int(text)


def _position(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _LARGEST_BIGINT:
        raise InvalidPayload(f'"{name}" must be a position')
    return value


def _delivery(request: web.Request, found: Delivery) -> dict[str, Any]:
    target, last = found.target, found.log[-1] if found.log else None
    return {
        "id": found.id,
        "webhook": target.webhook,
        "position": found.position,
        "collection": found.collection,
        "item": found.item,
        "status": found.status,
        "replay": -found.round if found.round < 0 else None,
        "created_at": iso(found.created_at),
        "next_at": iso(found.next_at) if found.status == "waiting" else None,
        "finished_at": iso(found.finished_at),
        "request": {
            "method": target.method,
            "url": target.url,
            # They may hold what lets one into the receiver.
            "headers": {name: MASK for name, _ in target.own_headers},
            "body": _body(request, found),
        },
        "response": None if last is None else {"status": last["status"], "body": last["response"]},
        "duration": None if last is None else last["duration"],
        "attempts": found.log,
    }


def _body(request: web.Request, found: Delivery) -> dict[str, Any] | None:
    if found.record is None or not found.target.data:
        return None
    return body_of(found.record, request.app[MODELS].current, found.role)


def _replay(found: Replay) -> dict[str, Any]:
    return {
        "id": found.id,
        "collection": found.collection,
        "from": found.first,
        "to": found.last,
        "position": found.position,
        "deliveries": found.noted,
        "created_at": iso(found.created_at),
        "finished_at": iso(found.finished_at),
    }


def routes() -> list[web.RouteDef]:
    """The routes beside the items of `/webhooks`."""
    return [
        web.get("/webhooks/{key}/deliveries", list_deliveries),
        web.get("/webhooks/{key}/deliveries/{delivery}", read_delivery),
        web.post("/webhooks/{key}/deliveries/{delivery}/redeliver", redeliver),
        web.get("/webhooks/{key}/replays", list_replays),
        web.post("/webhooks/{key}/replays", begin_replay),
    ]
