"""Flows in the worker: events begin runs, the leader executes them and looks at the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from domain.hooks.registry import Schedule
from projections.database import Database
from services.flows.wiring import Wired
from workers.flows.beginning import FlowFollower
from workers.flows.executing import Executor
from workers.flows.letters import Outbox
from workers.flows.schedules import Schedules
from workers.leadership import Leadership
from workers.stopping import sleep

STANDBY_SECONDS = 1.0


async def run(
    database: Database,
    wired: Wired,
    executor: Executor,
    outbox: Outbox,
    schedules: Sequence[Schedule],
    leadership: Leadership,
    follower: FlowFollower,
    stop: asyncio.Event,
) -> None:
    """Execute runs and schedules while this process leads the follower of flows."""

    def leads() -> bool:
        return leadership.leads(follower.name)

    watched = (wired.rights.watch, wired.flows.store.watch, partial(outbox.run, leads))
    watches = [asyncio.create_task(watch()) for watch in watched]

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(Schedules(database, wired.flows, leads, schedules).run(stop))
            group.create_task(_execute(executor, follower, leadership, stop))
    finally:
        for task in watches:
            task.cancel()
        await asyncio.gather(*watches, return_exceptions=True)


async def _execute(
    executor: Executor, follower: FlowFollower, leadership: Leadership, stop: asyncio.Event
) -> None:
    """Execute from the moment this process leads; a lost lead ends what is being executed here."""
    while not stop.is_set():
        if not leadership.leads(follower.name):
            await sleep(stop, STANDBY_SECONDS / 4)
            continue
        lost = asyncio.Event()
        running = asyncio.create_task(executor.run(follower.begun, lost))
        try:
            while leadership.leads(follower.name) and not stop.is_set():
                await sleep(stop, STANDBY_SECONDS)
        finally:
            lost.set()
            await running
