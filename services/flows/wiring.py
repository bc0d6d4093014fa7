"""Flows with everything they need, for a process that has no other use for it."""

from __future__ import annotations

from dataclasses import dataclass

from domain.query.limits import QueryLimits
from domain.settings import Settings
from projections.database import Database
from projections.emitter import Emitter
from projections.flows.runner import Flows
from projections.flows.services import FlowServices
from projections.flows.store import FlowStore
from projections.log.contexts import Contexts
from projections.reading.reader import Reader
from projections.system.rights import RightsStore
from projections.tables.item_writer import ItemWriter
from projections.tables.store import ModelStore
from services.extensions.loading import Extensions
from services.flows.world import Letters, World
from services.web.guarded import GuardedClient


@dataclass(frozen=True, slots=True)
class Wired:
    """Flows, and what has to be watched with them."""

    flows: Flows
    rights: RightsStore
    emitter: Emitter


def flows_for(
    settings: Settings, database: Database, models: ModelStore, letters: Letters, extensions: Extensions
) -> Wired:
    """Flows of their own on a database, whose ``models`` somebody watches."""
    reader = Reader(database, QueryLimits.of(settings.query, settings.database.statement_timeout))
    writer = ItemWriter(database, reader, settings)
    rights = RightsStore(database, reader)
    models.on_change(lambda _: rights.forget())
    world = World(GuardedClient(settings.files.import_deny), letters)
    contexts = Contexts(database)
    services = FlowServices(database, models, reader, writer, rights, contexts, world, settings.flows)
    extensions.door.open(services)
    flows = Flows(services, FlowStore(database), extensions.operations)
    writer.filtering.filters = emitter = Emitter(extensions.hooks, flows)
    return Wired(flows, rights, emitter)
