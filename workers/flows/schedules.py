"""Flows that the clock sets off: each moment once in a cluster, moments that nobody saw not at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import psycopg
from croniter import CroniterError, croniter

from domain.errors import ServiceUnavailable
from domain.flows.model import Flow
from domain.hooks.registry import Schedule
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

    def __init__(
        self, database: Database, flows: Flows, leads: Callable[[], bool], jobs: Sequence[Schedule] = ()
    ) -> None:
        self._database = database
        self._flows = flows
        self._leads = leads
        self._jobs = jobs
        self._running: set[asyncio.Task[None]] = set()
        self._senseless: set[tuple[str, str]] = set()

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
        for job in self._jobs:
            await self._start_once(job.id, job.cron, job.id, after, until, job.job)
        for flow in (await self._flows.store.load()).values():
            if flow.trigger == "schedule":
                run = partial(self._start, flow)
                await self._start_once(flow.id, flow.options.get("cron"), flow.name, after, until, run)

    async def _start_once(
        self,
        key: str,
        cron: Any,
        name: str,
        after: datetime,
        until: datetime,
        run: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """Start what is due, unless another process did."""
        moment = self._due(key, cron, name, after, until)
        if moment is None:
            return
        async with self._database.connection() as connection:
            taken = await take_tick(connection, key, moment)
        if taken:
            task = asyncio.create_task(run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _due(self, key: str, cron: Any, name: str, after: datetime, until: datetime) -> datetime | None:
        if (key, str(cron)) in self._senseless:
            return None
        try:
            moment = croniter(str(cron), after, second_at_beginning=True).get_next(datetime)
        except (CroniterError, ValueError, KeyError, AttributeError, TypeError, OverflowError) as error:
            self._senseless.add((key, str(cron)))
            log.warning("flow %s never runs, its schedule %r makes no sense: %s", name, cron, error)
            return None
        return moment if moment <= until else None

    async def _start(self, flow: Flow) -> None:
        try:
            await self._flows.run(flow, None, None)
        except Exception:
            log.exception("the scheduled flow %s failed", flow.name)
