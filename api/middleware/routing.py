"""Second chances for paths that matched no route: other case, trailing slash, OPTIONS.

Runs only after the router failed, so requests that match pay one attribute look-up. What still fits no
route is answered 404, also where only the method does not fit.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from api.responses import PLAIN
from domain.errors import Forbidden


@web.middleware
async def routing(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Try the path again without trailing slash and with a lower-case first segment."""
    if "\0" in request.path:
        # No name and no key holds one, and PostgreSQL takes none.
        raise Forbidden()
    failed = request.match_info.http_exception
    if failed is None:
        return await handler(request)
    path = _normal(request.rel_url.raw_path)
    if path != request.rel_url.raw_path:
        again = request.clone(rel_url=request.rel_url.with_path(path, encoded=True, keep_query=True))
        found = await request.app.router.resolve(again)
        failed = found.http_exception
        if failed is None:
            return await _play(request, found)
    if request.method == "OPTIONS" and isinstance(failed, web.HTTPMethodNotAllowed):
        return _allowed(failed)
    return await handler(request)


def _normal(path: str) -> str:
    if path.startswith("//"):
        return path
    first, slash, rest = path[1:].partition("/")
    return "/" + first.lower() + slash + (rest.removesuffix("/") if rest else "")


async def _play(request: web.Request, found: web.UrlMappingMatchInfo) -> web.StreamResponse:
    # The match is replaced rather than the request, whose body may be read only once.
    request.match_info.clear()
    request.match_info.update(found)
    return await found.handler(request)


def _allowed(failed: web.HTTPMethodNotAllowed) -> web.Response:
    methods = ",".join(sorted(failed.allowed_methods))
    return web.Response(
        text=methods, headers={**PLAIN, "Allow": methods, "Content-Type": "text/html; charset=utf-8"}
    )
