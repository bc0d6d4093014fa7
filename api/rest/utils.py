"""`/utils`: hashes, random texts, manual sort, going back to a revision, caches."""

from __future__ import annotations

import secrets
import string
from dataclasses import replace

import orjson
from aiohttp import web

from api.auth.passwords import hash_text, verify_strict
from api.bodies import read_object
from api.commands import command_of
from api.keys import AUTHENTICATOR, CONTEXT, EMITTER, ITEMS, MODELS, SCHEMA, SORTER
from api.responses import data, empty, no_content
from domain.errors import Forbidden, InvalidPayload, InvalidQuery
from domain.model.keys import key_text
from domain.model.translations import language_rows

ALPHABET = string.ascii_letters + string.digits + "-_"
REVISIONS = "directus_revisions"
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


async def sort(request: web.Request) -> web.Response:
    """POST /utils/sort/{collection}: put one item in the place of another."""
    body = await read_object(request)
    for name in ("item", "to"):
        if body.get(name) is None:
            raise InvalidPayload(f'"{name}" is required')
    command = await command_of(request)
    model = request[CONTEXT].model
    item, to = key_text(body["item"]), key_text(body["to"])
    collection = request.match_info["collection"]
    await request.app[SORTER].move(command, model, collection, item, to)
    told = {"collection": collection, "item": item, "to": to}
    request.app[EMITTER].act(("items.sort", f"{collection}.items.sort"), told, command.caller)
    return empty()


async def revert(request: web.Request) -> web.Response:
    """POST /utils/revert/{revision}: write what a revision holds as an ordinary update."""
    context = request[CONTEXT]
    items = request.app[ITEMS]
    query = {"fields": ["collection", "item", "data"]}
    body = await items.reads.one(context, REVISIONS, request.match_info["revision"], query)
    if body is None:
        raise Forbidden()
    found = orjson.loads(body)["data"]
    if not isinstance(found.get("data"), dict):
        raise InvalidPayload("The revision holds no data to go back to")
    collection = context.model.collection(found["collection"])
    if collection is None:
        raise Forbidden()
    # A mask is not what was there: secrets stay as they are now.
    payload = {
        name: value
        for name, value in found["data"].items()
        if name in collection.fields and not collection.fields[name].secret
    }
    await items.update(context, collection.name, [found["item"]], payload)
    return no_content()


async def generate_translations(request: web.Request) -> web.Response:
    """POST /utils/translations/generate: all that translations of a collection need."""
    context = request[CONTEXT]
    if not context.rights.admin:
        raise Forbidden()
    body = await read_object(request)
    wish, created, languages = await request.app[SCHEMA].make_translatable(await command_of(request), body)
    if languages and wish.seed:
        now = replace(context, model=request.app[MODELS].current)
        await request.app[ITEMS].create(now, wish.languages, language_rows())
    return data(
        {
            "created": created,
            "translationsCollection": wish.translations,
            "languagesCollection": wish.languages,
            "fields": list(wish.fields),
        }
    )


def _text(body: dict[str, object], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidPayload(f'"{name}" is required' if value in (None, "") else f'"{name}" must be a string')
    return value


def routes() -> list[web.RouteDef]:
    """The routes of `/utils`, except import."""
    return [
        web.post("/utils/hash/generate", generate_hash),
        web.post("/utils/hash/verify", verify_hash),
        web.get("/utils/random/string", random_string),
        web.post("/utils/cache/clear", clear_cache),
        web.post("/utils/sort/{collection}", sort),
        web.post("/utils/translations/generate", generate_translations),
        web.post("/utils/revert/{revision}", revert),
    ]
