"""Executes runs that were begun: a few at a time, each kept after every operation.

A run whose process died is taken up again at its next operation. Operations that write items or letters are
done exactly once, in the transaction that keeps the run; what others had done already is done once more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final
from uuid import uuid4

import psycopg

from domain.errors import InternalError, ServiceUnavailable
from domain.flows.model import Operation
from domain.flows.running import Run
from projections.bound import binding
from projections.database import Database
from projections.flows import runs
from projections.flows.chain import chain
from projections.flows.runner import Flows
from projections.flows.runs import Kept, caller_of
from workers.share import Share
from workers.stopping import sleep

log = logging.getLogger("acta.flows")

INSIDE: Final = frozenset({"item-create", "item-update", "item-delete", "mail", "notification"})
AT_ONCE: Final = 8
LOOK_SECONDS: Final = 1.0
SWEEP_SECONDS: Final = 3600.0


class _Failed(Exception):
    """An operation inside a transaction has failed."""


class Executor:
    """Executes the runs of one cluster, in the process that leads."""

    def __init__(self, database: Database, flows: Flows, share: Share) -> None:
        self._database = database
        self._flows = flows
        self._share = share
        self._running: dict[int, asyncio.Task[None]] = {}

    async def run(self, begun: asyncio.Event, stop: asyncio.Event) -> None:
        """Execute until told to stop; runs that are not over by then go on in the next process."""
        swept = 0.0
        loop = asyncio.get_running_loop()
        try:
            while not stop.is_set():
                await self._share.turn()
                begun.clear()
                try:
                    await self._start_waiting()
                    if loop.time() - swept > SWEEP_SECONDS:
                        async with self._database.connection() as connection:
                            await runs.sweep(connection)
                        swept = loop.time()
                except (psycopg.Error, ServiceUnavailable) as error:
                    log.warning("flows: %s; trying again", error)
                    await sleep(stop, LOOK_SECONDS)
                await self._wait(begun, stop)
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _start_waiting(self) -> None:
        free = AT_ONCE - len(self._running)
        if free <= 0:
            return
        async with self._database.connection() as connection:
            waiting = await runs.unfinished(connection, 0, AT_ONCE + len(self._running))
        for kept in [kept for kept in waiting if kept.id not in self._running][:free]:
            self._running[kept.id] = asyncio.create_task(self._execute(kept))

    async def _wait(self, begun: asyncio.Event, stop: asyncio.Event) -> None:
        events = [asyncio.create_task(begun.wait()), asyncio.create_task(stop.wait())]
        try:
            await asyncio.wait(
                [*events, *self._running.values()],
                timeout=LOOK_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            for task in events:
                task.cancel()
        for number in [number for number, task in self._running.items() if task.done()]:
            del self._running[number]

    async def _execute(self, kept: Kept) -> None:
        try:
            run = await self._taken_up(kept)
            if run is not None:
                chain.set(kept.chain)
                await self._flows.proceed(run, partial(self._done, kept))
            async with self._database.transaction() as connection:
                with binding(connection):
                    if run is not None:
                        await self._flows.write_down(run, kept.request or uuid4())
                    await runs.finish(connection, kept.id)
        except (psycopg.OperationalError, ServiceUnavailable) as error:
            log.warning("a run of flow %s goes on later: %s", kept.flow, error)
            await asyncio.sleep(LOOK_SECONDS)
        except Exception:
            log.exception("a run of flow %s failed and is given up", kept.flow)
            async with self._database.connection() as connection:
                await runs.finish(connection, kept.id)

    async def _taken_up(self, kept: Kept) -> Run | None:
        """The run where it was left; None when its flow is gone or no longer active."""
        flow = (await self._flows.store.load()).get(kept.flow)
        if flow is None:
            return None
        caller = await self._flows.known(caller_of(kept.accountability))
        run = self._flows.begin(flow, kept.trigger, caller)
        if kept.state is not None:
            run.data = {**run.data, **kept.state["data"]}
            run.steps, run.next = kept.state["steps"], kept.state["next"]
            run.messages = kept.state.get("messages", {})
            run.error = InternalError() if kept.state["failed"] else None
        return run

    async def _done(
        self, kept: Kept, operation: Operation, run: Run, execute: Callable[[], Awaitable[None]]
    ) -> None:
        """Execute an operation and keep how far the run is: of one that writes in one transaction."""
        if operation.type not in INSIDE:
            await execute()
            await self._keep(kept, run)
            return
        try:
            async with self._database.transaction() as connection:
                with binding(connection):
                    await execute()
                    if run.error is not None:
                        raise _Failed
                    await self._keep(kept, run)
        except _Failed:
            # What it wrote before it failed is taken back; that it has failed is kept.
            await self._keep(kept, run)

    async def _keep(self, kept: Kept, run: Run) -> None:
        async with self._database.connection() as connection:
            await runs.keep(connection, kept.id, run)
