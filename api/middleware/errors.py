"""Every exception becomes the error envelope here, and only here."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web
from aiohttp.typedefs import Handler

from api.keys import CONTEXT, REQUEST_ID
from api.refusing import is_handled, refusal
from api.responses import no_content
from domain.errors import ActaError, ErrorGroup, InternalError, InvalidPayload, RouteNotFound

log = logging.getLogger("acta.api")


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer any error as the contract says; what nobody expected is logged with its trace."""
    try:
        return await handler(request)
    except (ActaError, ErrorGroup) as error:
        return await refusal(request, error)
    except web.HTTPRequestEntityTooLarge:
        return await refusal(request, InvalidPayload("Request body is too large"))
    except web.RequestPayloadError as error:
        return await refusal(request, InvalidPayload(f"The body can't be read: {error}"))
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        if await is_handled(request):
            return no_content()
        return await refusal(request, RouteNotFound(request.path))
    except web.HTTPException:
        raise
    except (ConnectionResetError, asyncio.CancelledError):
        raise
    except Exception as error:
        log.exception("request %s failed: %s %s", request.get(REQUEST_ID), request.method, request.path)
        return await refusal(request, _unexpected(request, error))


def _unexpected(request: web.Request, error: Exception) -> InternalError:
    # Full-access callers see the original text, everybody else a fixed one.
    context = request.get(CONTEXT)
    admin = context is not None and context.rights.admin
    found = InternalError(f"{type(error).__name__}: {error}") if admin else InternalError()
    found.__cause__ = error
    return found
