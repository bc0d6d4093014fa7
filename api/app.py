"""The application: services opened at start, middlewares in their order, the routes of every interface.

`create_app` needs no database and no running loop; both come when the application starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from api import keys
from api.auth import account_routes, shares, tfa
from api.auth import routes as auth
from api.auth.wiring import wire
from api.files import assets
from api.files import routes as files
from api.graphql import handler as graphql
from api.graphql.documents import Documents
from api.graphql.operations import resolvers
from api.graphql.persisted import Persisted
from api.graphql.prepare import Preparing
from api.graphql.run import Engine
from api.graphql.schema import Schemas
from api.items import Items
from api.middleware.browser import header_writer, preflight
from api.middleware.caller import caller
from api.middleware.errors import errors
from api.middleware.headers import headers
from api.middleware.limits import limits
from api.middleware.request_log import request_log
from api.middleware.routing import routing
from api.realtime import routes as realtime
from api.rest import (
    collections,
    content_versions,
    explain,
    fields,
    history,
    imports,
    items,
    me,
    metrics,
    permissions,
    relations,
    schema,
    server,
    system,
    utils,
)
from domain.query.limits import QueryLimits
from domain.settings import QuerySettings, Settings
from projections.database import Database
from projections.log.contexts import Contexts
from projections.reading.past import PastReader
from projections.reading.reader import Reader
from projections.schema.service import SchemaService
from projections.system.content_versions import ContentVersions
from projections.system.rights import RightsStore
from projections.tables.importing import Importer
from projections.tables.item_writer import ItemWriter
from projections.tables.sorting import Sorter
from projections.tables.store import ModelStore
from projections.tables.writing.idempotency import IdempotencyKeys
from projections.time.undo import Undo
from services.files.library import Library
from services.files.objects import Objects
from services.files.variants import Variants
from services.images.pool import ImagePool
from services.storage.locations import Locations

# Routes with fixed names below a path come before those with a key in the same place.
ROOMS = (
    me,
    shares,
    tfa,
    account_routes,
    explain,
    items,
    files,
    assets,
    system,
    permissions,
    content_versions,
    collections,
    fields,
    relations,
    schema,
    auth,
    server,
    utils,
    history,
    imports,
    graphql,
    metrics,
)


def create_app(settings: Settings) -> web.Application:
    """The application for one process."""
    # From the outside in: what stands first sees the request first and the answer last.
    middlewares = [
        headers,
        *([request_log] if settings.log.requests else []),
        errors,
        *([preflight] if settings.browser.cors else []),
        *([limits] if settings.limiter.enabled else []),
        caller,
        routing,
    ]
    app = web.Application(
        middlewares=middlewares,
        # aiohttp refuses from the limit on, the contract above it.
        client_max_size=settings.server.max_payload_size + 1,
    )
    app[keys.SETTINGS] = settings
    app.cleanup_ctx.append(_services)
    realtime.set_up(app)
    app.on_response_prepare.append(header_writer(settings))
    for room in ROOMS:
        app.router.add_routes(room.routes())
    return app


def query_limits(settings: QuerySettings, timeout_ms: int) -> QueryLimits:
    """The limits of queries as the planner and reader take them."""
    return QueryLimits(
        default=settings.limit_default,
        maximum=settings.limit_max or -1,
        depth=settings.max_relational_depth,
        json_depth=settings.max_json_depth,
        brackets=settings.max_parse_depth,
        elements=settings.array_limit,
        timeout=timeout_ms / 1000,
    )


async def _services(app: web.Application) -> AsyncIterator[None]:
    settings = app[keys.SETTINGS]
    where = settings.database
    if where.url is None:
        raise ValueError("the settings name no database")
    database = await Database.open(
        where.url.get_secret_value(), minimum=where.pool_min, maximum=where.pool_max, application="acta api"
    )
    try:
        models = await ModelStore.open(database, schemas=where.schemas, exclude=where.exclude_tables)
        _wire(app, settings, database, models)
        images = _wire_files(app, settings, database)
        watched = (
            models.watch,
            app[keys.AUTHENTICATOR].rights.watch,
            app[keys.IDEMPOTENCY].tidy,
            app[keys.LIBRARY].objects.beat,
        )
        watches = [asyncio.create_task(watch()) for watch in watched]
        try:
            yield
        finally:
            await images.close()
            await app[keys.POST].close()
            for task in watches:
                task.cancel()
            await asyncio.gather(*watches, return_exceptions=True)
    finally:
        await database.close()


def _wire_files(app: web.Application, settings: Settings, database: Database) -> ImagePool:
    objects = Objects(
        database, Locations(settings.storage), delete_original=settings.files.delete_original_on_move
    )
    images = ImagePool(settings.assets)
    app[keys.LIBRARY] = Library(database, app[keys.WRITER], objects, images, settings.files)
    app[keys.VARIANTS] = Variants(database, objects, images, settings.assets)
    return images


def _wire(app: web.Application, settings: Settings, database: Database, models: ModelStore) -> None:
    reader = Reader(database, query_limits(settings.query, settings.database.statement_timeout))
    writer = ItemWriter(database, reader, settings)
    rights = RightsStore(database, reader)
    # A collection that goes takes its permissions along.
    models.on_change(lambda _: rights.forget())
    contexts = Contexts(database)
    app[keys.DATABASE] = database
    app[keys.METRICS] = metrics.Metrics(settings.metrics.prefix)
    app[keys.MODELS] = models
    app[keys.READER] = reader
    app[keys.WRITER] = writer
    app[keys.CONTENT_VERSIONS] = ContentVersions(database, reader, writer)
    app[keys.IDEMPOTENCY] = idempotency = IdempotencyKeys(database)
    app[keys.PAST] = past = PastReader(database, reader, settings.history.fold_limit)
    app[keys.ITEMS] = items = Items(reader, writer, contexts, rights, idempotency, past)
    schemas = Schemas(resolvers())
    models.on_change(schemas.warm)
    app[keys.GRAPHQL] = Engine(
        schemas,
        Documents(settings.graphql.token_limit, introspection=settings.graphql.introspection),
        Preparing(reader, reader.limits, settings.graphql.cost_limit),
        items,
        Persisted(),
    )
    app[keys.CONTEXTS] = contexts
    app[keys.SCHEMA] = SchemaService(database, models, schemas=settings.database.schemas)
    app[keys.UNDO] = Undo(database, models, reader, app[keys.SCHEMA])
    app[keys.SORTER] = Sorter(database, writer)
    app[keys.IMPORTER] = Importer(database, writer)
    wire(app, rights)
