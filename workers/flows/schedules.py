"""Flows that the clock sets off: each moment once in a cluster, moments that nobody saw not at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import psycopg
from croniter import CroniterError, croniter

from domain.errors import ServiceUnavailable
from domain.flows.model import Flow
from projections.database import Database
from projections.flows.runner import Flows
from projections.flows.runs import take_tick
from workers.stopping import sleep

log = logging.getLogger("acta.flows")
LOOK_SECONDS: Final = 0.5
# Moments that passed while nobody looked (a pause of the machine) are not made up for.
LATE: Final = timedelta(seconds=30)


class Schedules:
    """Starts scheduled flows in the process that leads."""

    def __init__(self, database: Database, flows: Flows, leads: Callable[[], bool]) -> None:
        self._database = database
        self._flows = flows
        self._leads = leads
        self._running: set[asyncio.Task[None]] = set()
        self._warned: set[str] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Look at the clock until told to stop."""
        before = datetime.now().astimezone()
        while not stop.is_set():
            await sleep(stop, LOOK_SECONDS)
            now = datetime.now().astimezone()
            try:
                if self._leads():
                    await self._start_due(max(before, now - LATE), now)
            except (psycopg.Error, ServiceUnavailable) as error:
                log.warning("schedules: %s", error)
            before = now
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _start_due(self, after: datetime, until: datetime) -> None:
        for flow in (await self._flows.store.load()).values():
            if flow.trigger != "schedule":
                continue
            moment = self._due(flow, after, until)
            if moment is None:
                continue
            async with self._database.connection() as connection:
                taken = await take_tick(connection, flow.id, moment)
            if taken:
                task = asyncio.create_task(self._start(flow))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    def _due(self, flow: Flow, after: datetime, until: datetime) -> datetime | None:
        cron = flow.options.get("cron")
        try:
            moment = croniter(str(cron), after, second_at_beginning=True).get_next(datetime)
        except (CroniterError, ValueError, KeyError, AttributeError, TypeError) as error:
            if flow.id not in self._warned:
                self._warned.add(flow.id)
                log.warning("flow %s never runs, its schedule makes no sense: %s", flow.name, error)
            return None
        return moment if moment <= until else None

    async def _start(self, flow: Flow) -> None:
        try:
            await self._flows.run(flow, None, None)
        except Exception:
            log.exception("the scheduled flow %s failed", flow.name)
