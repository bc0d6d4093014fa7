"""Errors that came from PostgreSQL, as filters of ``database.error`` leave them, before they are answered.

Text and extensions may become others; the status stays, and an error that a filter fails on stays whole.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

import psycopg
from aiohttp import web

from api.keys import CONTEXT, EMITTER
from domain.access.caller import Caller
from domain.errors import ActaError, ErrorGroup
from projections.database import is_lost
from projections.emitter import Emitter

log = logging.getLogger("acta.api")

EVENT: Final = "database.error"
_CLIENT: Final = "postgres"


async def restate_all(request: web.Request, answers: Iterable[Any]) -> None:
    """As :func:`restate` the errors among what a request has come to, each once."""
    found = {id(answer): answer for answer in answers if isinstance(answer, ActaError | ErrorGroup)}
    for error in found.values():
        context = request.get(CONTEXT)
        await restate(request.app[EMITTER], None if context is None else context.caller, error)


async def restate(emitter: Emitter, caller: Caller | None, error: ActaError | ErrorGroup) -> None:
    """Show what PostgreSQL said of an error to filters, and change it as these say."""
    for entry in error.errors if isinstance(error, ErrorGroup) else (error,):
        cause = entry.__cause__
        # Without a database there is nobody to ask.
        if isinstance(cause, psycopg.Error) and not is_lost(cause):
            _change(entry, await _asked(emitter, caller, entry.entry()))


async def _asked(emitter: Emitter, caller: Caller | None, payload: dict[str, Any]) -> Any:
    try:
        if not await emitter.asks(EVENT):
            return None
        return await emitter.filter(EVENT, (EVENT,), payload, {"client": _CLIENT}, caller)
    except Exception as error:  # noqa: BLE001 (whatever a filter does, the request is answered)
        log.warning("a filter of %s failed: %s: %s", EVENT, type(error).__name__, error)
        return None


def _change(error: ActaError, found: Any) -> None:
    if not isinstance(found, Mapping):
        return
    message, extensions = found.get("message"), found.get("extensions")
    if isinstance(message, str):
        error.message = message
    if isinstance(extensions, Mapping):
        error.extensions = {name: value for name, value in extensions.items() if name != "code"}
        if isinstance(code := extensions.get("code"), str):
            error.code = code  # type: ignore[misc]  # of this one error only
