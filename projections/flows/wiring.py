"""Flows with everything they need, for a process that has no other use for it."""

from __future__ import annotations

from dataclasses import dataclass

from domain.query.limits import QueryLimits
from domain.settings import Settings
from projections.database import Database
from projections.flows.runner import Flows
from projections.flows.services import FlowServices
from projections.flows.store import FlowStore
from projections.log.contexts import Contexts
from projections.outward.http import HttpClient
from projections.outward.world import Letters, World
from projections.reading.reader import Reader
from projections.system.rights import RightsStore
from projections.tables.item_writer import ItemWriter
from projections.tables.store import ModelStore


@dataclass(frozen=True, slots=True)
class Wired:
    """Flows, and what has to be watched or closed with them."""

    flows: Flows
    models: ModelStore
    rights: RightsStore
    world: World


async def flows_for(settings: Settings, database: Database, letters: Letters) -> Wired:
    """Flows of their own on a database."""
    where = settings.database
    models = await ModelStore.open(database, schemas=where.schemas, exclude=where.exclude_tables)
    reader = Reader(database, QueryLimits.of(settings.query, where.statement_timeout))
    writer = ItemWriter(database, reader, settings)
    rights = RightsStore(database, reader)
    models.on_change(lambda _: rights.forget())
    world = World(HttpClient(settings.files.import_deny), letters)
    contexts = Contexts(database)
    services = FlowServices(database, models, reader, writer, rights, contexts, world, settings.flows)
    return Wired(Flows(services, FlowStore(database)), models, rights, world)
