"""`?as_of=`: a query's plans on the rows of a moment."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from api.graphql.prepare import Prepared
from api.keys import CONTEXT, PAST, READER
from projections.reading.past import moment_of


async def at_moment(request: web.Request, prepared: Prepared) -> Prepared:
    """The query as of the moment that the URL names; as it is when it names none."""
    when = moment_of(request.query)
    chosen = [entry.compiled for entry in prepared.entries if entry.compiled is not None]
    if when is None or not chosen:
        return prepared
    model = request[CONTEXT].model
    plans = await request.app[PAST].at(model, [compiled.plan for compiled in chosen], when)
    left = iter(plans)
    entries = tuple(
        entry if entry.compiled is None else replace(entry, compiled=replace(entry.compiled, plan=next(left)))
        for entry in prepared.entries
    )
    statement = request.app[READER].compiled(plans, model.version)
    return replace(prepared, entries=entries, statement=statement)
