"""The job queue: the only module that knows `procrastinate`, whose tables stand in schema ``acta`` like ours.

A job is a word in somebody's ear: what has to be done stands in tables of ours, so that a job that got lost
costs a second and nothing else. Each is done at one place of the cluster at a time: `lock` sees to that, and
the heartbeat of the worker to those whose process died.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, LiteralString

import procrastinate.jobs
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.schema import SchemaManager
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from domain.errors import ServiceUnavailable
from projections import migrations
from projections.database import Connection, Database
from projections.sql import load

SQL: Final = load("webhooks/queue")
ROOM: Final = "queue"
# Each job waits for the network most of the time.
AT_ONCE: Final = 1000
POLL_SECONDS: Final = 2.0
HEARTBEAT_SECONDS: Final = 2.0
DEAD_SECONDS: Final = 8.0
# What is cut off is done again.
GRACE_SECONDS: Final = 3.0
_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)_(\d+)_")

logging.getLogger("procrastinate").setLevel(logging.WARNING)

Work = Callable[[int], Awaitable[None]]
QueueTrouble = ConnectorException


async def prepare(connection: Connection) -> None:
    """Bring the queue's tables up to date, inside `migrations.begin`."""
    await connection.execute(SQL["room"])
    row = await (await connection.execute(SQL["there"])).fetchone()
    rows = await (await connection.execute(migrations.SQL["applied"], {"room": ROOM})).fetchall()
    known = _migrations()
    applied = {number for (number,) in rows}
    if applied - known.keys():
        raise ServiceUnavailable("database", "its queue was prepared by a newer version of Acta")
    fresh = row is None or not row[0]
    if fresh:
        await connection.execute(sql.SQL(SchemaManager.get_schema()))
    for number, path in known.items():
        if number in applied:
            continue
        if not fresh:
            await connection.execute(sql.SQL(_text(path)))
        values = {"room": ROOM, "number": number, "name": path.stem}
        await connection.execute(migrations.SQL["record"], values)


def _migrations() -> dict[int, Path]:
    found = Path(SchemaManager.get_migrations_path()).glob("*.sql")
    return {_number(path): path for path in sorted(found)}


def _text(path: Path) -> LiteralString:
    return path.read_text(encoding="utf-8")


def _number(path: Path) -> int:
    found = _VERSION.match(path.name)
    assert found is not None, path
    major, minor, patch, step = map(int, found.groups())
    return ((major * 100 + minor) * 100 + patch) * 100 + step


class Queue:
    """Jobs of one process. ``kinds`` are what its worker can do, each with the number of a thing."""

    def __init__(self, database: Database, kinds: Mapping[str, Work]) -> None:
        given = conninfo_to_dict(database.conninfo)
        options = f"{given.get('options') or ''} -c search_path=acta".strip()
        conninfo = make_conninfo("", **{**given, "options": options, "application_name": "acta queue"})
        connector = procrastinate.PsycopgConnector(conninfo=conninfo, min_size=1, max_size=4)
        self._app = procrastinate.App(connector=connector)
        self._tasks = {
            kind: self._app.task(name=kind, queue="acta")(_called(work)) for kind, work in kinds.items()
        }

    async def __aenter__(self) -> Queue:
        """Connect."""
        await self._app.open_async()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        await self._app.close_async()

    async def defer(self, kind: str, number: int) -> None:
        """Have something done soon, once for however often it is asked for meanwhile."""
        lock = f"{kind}:{number}"
        job = self._tasks[kind].configure(lock=lock, queueing_lock=lock)
        try:
            await job.defer_async(number=number)
        except AlreadyEnqueued:
            return

    async def release(self) -> None:
        """Take away the jobs of processes that died; what they did not do is asked for again."""
        manager = self._app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_SECONDS):
            await manager.finish_job(job, procrastinate.jobs.Status.FAILED, delete_job=True)

    async def work(self) -> None:
        """Do jobs until cancelled. Returns when the database was lost."""
        await self._app.run_worker_async(
            concurrency=AT_ONCE,
            fetch_job_polling_interval=POLL_SECONDS,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=DEAD_SECONDS * 4,
            shutdown_graceful_timeout=GRACE_SECONDS,
            install_signal_handlers=False,
            delete_jobs="always",
        )


def _called(work: Work) -> Callable[..., Any]:
    async def call(number: int) -> None:
        await work(number)

    return call


async def wanted(connection: Connection) -> list[tuple[str, int]]:
    """What should be done and is not asked for yet: kinds of jobs and numbers."""
    found: list[tuple[str, int]] = []
    for kind, statement in (("webhook", "due"), ("replay", "replays")):
        cursor = await connection.execute(SQL[statement])
        found += [(kind, number) for (number,) in await cursor.fetchall()]
    return found
