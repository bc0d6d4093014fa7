"""Runs flows for whoever triggers them, and writes down that they ran."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID, uuid4

from domain.access.caller import Caller
from domain.errors import InvalidPayload
from domain.events import FlowRan
from domain.flows.model import Flow
from domain.flows.redaction import redacted, secret_texts
from domain.flows.running import Around, Perform, Run, begin, proceed, raised, returned, told
from domain.log.originator import join_originator
from projections.flows import operations
from projections.flows.chain import notes
from projections.flows.items import ItemOperations, parsed
from projections.flows.services import FlowServices
from projections.flows.store import FlowStore
from projections.log.append import append

FLOWS: Final = "directus_flows"
DEPTH: Final = 20
log = logging.getLogger("acta.flows")


class Flows:
    """All that can set off a flow, and all that a flow can do."""

    def __init__(
        self, services: FlowServices, store: FlowStore, more: Mapping[str, Perform] = MappingProxyType({})
    ) -> None:
        self._services = services
        self.store = store
        items, outside = ItemOperations(services), operations.OutsideOperations(services)
        # Operations of extensions can't replace ours.
        self.performers: Mapping[str, Perform] = {
            **more,
            "condition": operations.condition,
            "exec": outside.script,
            "item-create": items.create,
            "item-delete": items.delete,
            "item-read": items.read,
            "item-update": items.update,
            "json-web-token": operations.web_token,
            "log": operations.write_log,
            "mail": outside.mail,
            "notification": items.notification,
            "request": outside.request,
            "sleep": operations.sleep,
            "throw-error": operations.throw_error,
            "transform": operations.transform,
            "trigger": self._trigger,
        }

    def begin(self, flow: Flow, trigger: Any, caller: Caller | None) -> Run:
        """A run at its beginning."""
        run = begin(flow, trigger, caller, self._services.environment(os.environ))
        run.secrets = secret_texts(self._services.models.current, trigger)
        return run

    async def known(self, caller: Caller | None) -> Caller | None:
        """A caller of whom only user, role and address are known, with roles and policies of now."""
        return None if caller is None else (await self._services.standing(caller))[0]

    async def run(self, flow: Flow, trigger: Any, caller: Caller | None, request: UUID | None = None) -> Run:
        """Run a flow to its end."""
        return await self.finish(self.begin(flow, trigger, caller), request)

    async def finish(self, run: Run, request: UUID | None) -> Run:
        """Do what is left of a run, and write it down."""
        await self.proceed(run)
        await self.write_down(run, request or uuid4())
        return run

    async def proceed(self, run: Run, around: Around | None = None) -> None:
        """Do what is left of a run, each operation ``around``."""
        await proceed(run, self.performers, around)
        if run.astray is not None:
            log.warning("flow %s (%s): %s", run.flow.name, run.flow.id, run.astray)

    async def filtered(self, flow: Flow, trigger: Mapping[str, Any], caller: Caller | None) -> Any:
        """What a filter flow makes of the payload of an event.

        Raises:
            ActaError, ErrorGroup: with what the flow refuses the event.
        """
        run = await self.run(flow, trigger, caller)
        if run.error is not None:
            raise raised(run)
        return returned(run, flow.options["return"]) if "return" in flow.options else trigger["payload"]

    async def _trigger(self, options: Mapping[str, Any], run: Run) -> Any:
        """Run another flow, once for each element of an array."""
        flow = (await self.store.load()).get(str(options.get("flow")))
        if flow is None or flow.trigger != "operation":
            return None
        depth = run.depth + 1
        if depth > DEPTH:
            raise InvalidPayload("Flows call each other without end")
        payload = options.get("payload")
        if isinstance(payload, str) and payload[:1] in "[{":
            payload = parsed(payload, "payload")
        if not isinstance(payload, list):
            return await self._called(flow, payload, run.caller, depth)
        return await self._each(flow, payload, run.caller, depth, options)

    async def _each(
        self, flow: Flow, payloads: list[Any], caller: Caller | None, depth: int, options: Mapping[str, Any]
    ) -> list[Any]:
        mode = options.get("iterationMode")
        size = 1 if mode == "serial" else int(options.get("batchSize") or 10) if mode == "batch" else 32
        found: list[Any] = []
        for start in range(0, len(payloads), max(size, 1)):
            part = payloads[start : start + max(size, 1)]
            found += await asyncio.gather(*(self._called(flow, entry, caller, depth) for entry in part))
        return found

    async def _called(self, flow: Flow, payload: Any, caller: Caller | None, depth: int) -> Any:
        run = self.begin(flow, payload, caller)
        run.depth = depth
        await self.finish(run, None)
        if run.error is not None:
            raise raised(run)
        return returned(run, flow.options.get("return"))

    async def write_down(self, run: Run, request: UUID) -> None:
        """Note that a run is over, as its flow says."""
        if run.flow.accountability not in ("all", "activity"):
            return
        record = None
        if run.flow.accountability == "all":
            record = redacted({"steps": run.steps, "data": told(run)}, run.data["$env"], run.secrets)
        caller = run.caller
        event = FlowRan(
            originator_id=join_originator(FLOWS, run.flow.id),
            actor=None if caller is None else caller.user,
            request=request,
            context=None if caller is None else await self._services.contexts.id_of(caller),
            record=record,
            meta=notes() or None,
        )
        async with self._services.database.transaction() as connection:
            await append(connection, [event])
