"""`/utils`: hashes, random texts, manual sort, going back to a revision, caches."""

from __future__ import annotations

import secrets
import string

from aiohttp import web

from api.auth.passwords import hash_text, verify_strict
from api.bodies import read_object
from api.keys import AUTHENTICATOR, CONTEXT, MODELS
from api.responses import data, empty
from domain.errors import Forbidden, InvalidPayload, InvalidQuery

ALPHABET = string.ascii_letters + string.digits + "-_"
DEFAULT_LENGTH, MAXIMUM_LENGTH = 32, 500


async def generate_hash(request: web.Request) -> web.Response:
    """POST /utils/hash/generate."""
    return data(await hash_text(_text(await read_object(request), "string")))


async def verify_hash(request: web.Request) -> web.Response:
    """POST /utils/hash/verify."""
    body = await read_object(request)
    text, stored = _text(body, "string"), _text(body, "hash")
    try:
        return data(await verify_strict(stored, text))
    except ValueError:
        raise InvalidPayload('Invalid "hash" or "string"') from None


async def random_string(request: web.Request) -> web.Response:
    """GET /utils/random/string."""
    given = request.query.get("length")
    length = DEFAULT_LENGTH
    if given is not None:
        length = int(given) if given.isascii() and given.isdigit() and len(given) < 5 else -1
        if not 1 <= length <= MAXIMUM_LENGTH:
            raise InvalidQuery(f'"length" must be a number between 1 and {MAXIMUM_LENGTH}')
    return data("".join(secrets.choice(ALPHABET) for _ in range(length)))


async def clear_cache(request: web.Request) -> web.Response:
    """POST /utils/cache/clear: everything kept in memory is read again."""
    if not request[CONTEXT].rights.admin:
        raise Forbidden()
    request.app[AUTHENTICATOR].rights.forget()
    await request.app[MODELS].refresh()
    return empty()


def _text(body: dict[str, object], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidPayload(f'"{name}" is required' if value in (None, "") else f'"{name}" must be a string')
    return value


def routes() -> list[web.RouteDef]:
    """The routes of `/utils` that need no other room."""
    return [
        web.post("/utils/hash/generate", generate_hash),
        web.post("/utils/hash/verify", verify_hash),
        web.get("/utils/random/string", random_string),
        web.post("/utils/cache/clear", clear_cache),
    ]
