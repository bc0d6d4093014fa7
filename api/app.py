"""The application: services opened at start, middlewares in their order, the routes of every interface.

`create_app` needs no database and no running loop; both come when the application starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from api import extensions, flows, keys
from api.auth import account_routes, shares, tfa
from api.auth import routes as auth
from api.auth.limiter import Limiter
from api.auth.wiring import wire
from api.background import Places
from api.files import assets, importing, presigned, tus, zips
from api.files import contents as file_contents
from api.files import routes as files
from api.files.health import StorageHealth
from api.graphql import handler as graphql
from api.graphql.documents import Documents
from api.graphql.kept import Ready
from api.graphql.operations import resolvers, turned_off
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
from api.middleware.outdated import on_newer_model
from api.middleware.request_log import request_log
from api.middleware.routing import routing
from api.read_events import ReadEvents
from api.reads import Reads
from api.realtime import routes as realtime
from api.recalling import Recalling
from api.rest import (
    collections,
    content_versions,
    explain,
    fields,
    file_exports,
    health,
    history,
    imports,
    items,
    me,
    metrics,
    permissions,
    relations,
    schema,
    server,
    specs,
    system,
    utils,
    webhooks,
)
from domain.hooks.registry import ACTIONS
from domain.query.limits import QueryLimits
from domain.settings import Settings
from projections.access.counters import store_of
from projections.database import Database
from projections.emitter import Emitter
from projections.flows.runner import Flows
from projections.flows.services import FlowServices
from projections.flows.store import FlowStore
from projections.log import cursors, positions
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
from services.archive.archiver import Archiver
from services.extensions.loading import load
from services.files.library import Library
from services.files.objects import Objects
from services.files.resumable import Resumable
from services.files.tending import Sweeper
from services.files.variants import Variants
from services.flows.world import World
from services.images.pool import ImagePool
from services.mail.wiring import post_of
from services.storage.locations import Locations
from services.web.guarded import GuardedClient

# Routes with fixed names below a path come before those with a key in the same place.
ROOMS = (
    me,
    flows,
    shares,
    tfa,
    account_routes,
    explain,
    items,
    importing,
    presigned,
    file_contents,
    files,
    zips,
    assets,
    webhooks,
    system,
    permissions,
    content_versions,
    collections,
    fields,
    relations,
    schema,
    auth,
    server,
    health,
    utils,
    history,
    imports,
    file_exports,
    graphql,
    metrics,
    specs,
    extensions,
)


def create_app(settings: Settings) -> web.Application:
    """The application for one process.

    Raises:
        ExtensionError: when an extension that must load can't be.
    """
    installed = load(settings)
    # From the outside in: what stands first sees the request first and the answer last.
    middlewares = [
        headers,
        *([request_log] if settings.log.requests else []),
        errors,
        *([preflight] if settings.browser.cors else []),
        *([limits] if settings.limiter.enabled else []),
        caller,
        on_newer_model,
        routing,
    ]
    app = web.Application(
        middlewares=middlewares,
        # aiohttp refuses from the limit on, the contract above it.
        client_max_size=settings.server.max_payload_size + 1,
    )
    app[keys.SETTINGS] = settings
    app[keys.EXTENSIONS] = installed
    for moment in ("app.before", "middlewares.before", "middlewares.after", "routes.before"):
        installed.begin(moment, {"app": app})
    app.cleanup_ctx.append(_services)
    realtime.set_up(app)
    app.on_response_prepare.append(header_writer(settings))
    rooms = (tus, *ROOMS) if settings.files.tus else ROOMS
    for room in rooms:
        app.router.add_routes(room.routes())
    if settings.providers.names:
        # The clients of providers take a while to import.
        from api.auth.sso import routes as sso

        app.router.add_routes(sso.routes())
    installed.begin("routes.custom.before", {"app": app})
    app.router.add_routes(extensions.custom_routes(app, installed))
    for moment in ("routes.custom.after", "routes.after", "app.after"):
        installed.begin(moment, {"app": app})
    return app


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
        if app[keys.EXTENSIONS].hooks.acting:
            # From now on, whenever the first worker starts.
            async with database.connection() as connection:
                await cursors.register(connection, ACTIONS, await positions.last_position(connection))
        if settings.providers.names:
            await app[keys.PROVIDERS].prepare()
        images = _wire_files(app, settings, database)
        watched = (
            models.watch,
            app[keys.AUTHENTICATOR].rights.watch,
            app[keys.FLOWS].store.watch,
            app[keys.IDEMPOTENCY].tidy,
            app[keys.LIBRARY].objects.beat,
            Sweeper(app[keys.RESUMABLE], lambda: models.current).run,
            *([app[keys.POST].check] if settings.mail.verify else []),
        )
        watches = [asyncio.create_task(watch()) for watch in watched]
        app[keys.EMITTER].act(("server.start",), {}, None)
        loaded = extensions.described(app[keys.EXTENSIONS])
        app[keys.EMITTER].act(("extensions.load",), {"extensions": loaded}, None)
        try:
            yield
        finally:
            await app[keys.EMITTER].last("server.stop", settings.extensions.hook_timeout / 1000)
            await app[keys.EMITTER].close()
            await images.close()
            ending = [*watches, *app[keys.BACKGROUND]]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            await app[keys.POST].close()
    finally:
        await database.close()


def _wire_files(app: web.Application, settings: Settings, database: Database) -> ImagePool:
    objects = Objects(
        database, Locations(settings.storage), delete_original=settings.files.delete_original_on_move
    )
    images = ImagePool(settings.assets)
    app[keys.STORAGE_HEALTH] = StorageHealth()
    app[keys.LIBRARY] = Library(database, app[keys.WRITER], objects, images, settings.files)
    app[keys.RESUMABLE] = Resumable(database, app[keys.WRITER], app[keys.LIBRARY])
    app[keys.WEB_CLIENT] = GuardedClient(settings.files.import_deny)
    app[keys.VARIANTS] = Variants(database, objects, images, settings.assets)
    return images


def _wire(app: web.Application, settings: Settings, database: Database, models: ModelStore) -> None:
    reader = Reader(database, QueryLimits.of(settings.query, settings.database.statement_timeout))
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
    app[keys.LIMITER] = Limiter(settings.limiter, store_of(settings.limiter.store, database))
    app[keys.POST] = post = post_of(settings, database)
    world = World(GuardedClient(settings.files.import_deny), post)
    services = FlowServices(database, models, reader, writer, rights, contexts, world, settings.flows)
    installed = app[keys.EXTENSIONS]
    installed.door.open(services)
    flow_runner = app[keys.FLOWS] = Flows(services, FlowStore(database), installed.operations)
    writer.filtering.filters = app[keys.EMITTER] = Emitter(installed.hooks, flow_runner)
    post.filter = app[keys.EMITTER].letter
    app[keys.BACKGROUND] = set()
    recalling = Recalling(Archiver(database, Locations(settings.storage)), reader)
    events = ReadEvents(app[keys.EMITTER], reader)
    app[keys.ITEMS] = items = Items(
        Reads(reader, past, recalling), events, reader, writer, contexts, rights, idempotency, flow_runner
    )
    preparing = Preparing(reader, reader.limits, settings.graphql.cost_limit)
    app[keys.GRAPHQL] = engine = Engine(
        Schemas(resolvers(), turned_off(settings)),
        Documents(settings.graphql.token_limit, introspection=settings.graphql.introspection),
        preparing,
        items,
        Persisted(),
        Ready(preparing),
    )
    models.on_change(engine.renew)
    app[keys.CONTEXTS] = contexts
    app[keys.SCHEMA] = SchemaService(database, models, schemas=settings.database.schemas)
    app[keys.SCHEMA].filtering.filters = app[keys.EMITTER]
    app[keys.UNDO] = Undo(database, models, reader, app[keys.SCHEMA])
    app[keys.SORTER] = Sorter(database, writer)
    app[keys.EXPORTS] = Places(settings.files.exports)
    app[keys.DOWNLOADS] = Places(settings.files.exports)
    app[keys.IMPORTER] = Importer(database, writer, settings.imports)
    wire(app, rights)
