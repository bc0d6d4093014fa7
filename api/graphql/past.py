"""`?as_of=` and the argument `asOf`: a query's plans on the rows of moments."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from api.graphql.prepare import Entry, Prepared, distinct
from api.keys import CONTEXT, PAST, READER
from domain.errors import InvalidQuery
from domain.graphql.definitions import AS_OF
from domain.log.moments import When
from projections.reading.past import moment_of, parse_moment


async def at_moment(request: web.Request, prepared: Prepared) -> Prepared:
    """The query as of the moments that its root fields name, else as of that of the URL.

    A moment in the URL that can't be read at refuses the request, one of a root field becomes its error.
    """
    url = moment_of(request.query)
    entries = [await _at(request, entry, url) for entry in prepared.entries]
    plans = distinct(entries)
    statement = request.app[READER].compiled(plans, request[CONTEXT].model.version) if plans else None
    return replace(prepared, entries=tuple(entries), statement=statement)


async def _at(request: web.Request, entry: Entry, url: When | None) -> Entry:
    if entry.compiled is None:
        return entry
    try:
        when = url if entry.when is None else parse_moment(entry.when, AS_OF)
        if when is None:
            return entry
        if entry.compiled.version is not None:
            raise InvalidQuery("Content versions are of the present")
        plan = await request.app[PAST].at(request[CONTEXT].model, entry.compiled.plan, when)
    except InvalidQuery as error:
        if entry.when is None:
            raise
        return replace(entry, compiled=None, error=error)
    return replace(entry, compiled=replace(entry.compiled, plan=plan))
