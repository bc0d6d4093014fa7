"""What sealing and following cost the writers: `python -m bench.log_append`.

Rounds of writing with and without a worker process beside take turns, so that whatever else the machine does
meets both. Writers do what one command does: one statement that updates a row and appends its event. The
worker runs the sealer, the snapshots and a follower that reads every event. Before each round everything is
sealed and followed, so neither kind of round pays for the other.

Two kinds of writers: `asyncio`, one Python process with 16 connections, which is what one API process can
do at most; and `pgbench`, which has the machine's processors to itself, so that every cycle of the worker
is taken from the writers. Needs a server with durability on; DATABASE_URL (any database of it), else an
embedded one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit, urlunsplit

import psycopg

from cli.postgres.place import installed_programs
from cli.postgres.server import SUPERUSER, running
from domain.log import Record
from projections.database import Connection, Database
from projections.log.prepare import prepare
from projections.log.seal import Sealer
from workers import sealer
from workers.follower import Batch, RecordFollower, follow
from workers.leadership import Leadership
from workers.share import Share
from workers.snapshots import Snapshots
from workers.stopping import stop_on_signals
from workers.wake import Wake

NAME = "acta_bench_log"
GOAL = 0.8
ROWS = 100_000
TABLE = """
    create table public.articles (
        id int primary key, title text, body text, status text, author int, views int, price numeric,
        at timestamptz
    );
    insert into public.articles
    select n, 'Title number ' || n, repeat('lorem ipsum ', 15), 'draft', n % 100, 0, 12.5, now()
    from generate_series(1, 100000) n;
    create index on public.articles (author);
    vacuum analyze public.articles;
"""
WRITE = """
    with r as (
        update public.articles set views = views + 1, title = 'Title ' || views, at = now()
        where id = {id} returning *
    )
    insert into acta.events (topic, collection, item, actor, request, context, payload, meta)
    select 'item.updated', 'articles', r.id::text, '00000000-0000-0000-0000-000000000001', gen_random_uuid(),
        1, jsonb_build_object('views', r.views, 'title', r.title, 'body', r.body, 'at', r.at),
        '{{"fields": ["views", "title", "body"]}}'
    from r
"""


class Reading(RecordFollower):
    """Reads every event, as one that publishes them does."""

    name: ClassVar[str] = "reading"
    batch: ClassVar[int] = 2000

    async def handle(self, connection: Connection, records: Sequence[Record], batch: Batch) -> None:
        """Look at each."""
        del connection
        for record in records:
            assert record.payload_text is not None


FOLLOWERS = (Snapshots, Reading)


async def work(url: str) -> None:
    """The worker process: sealer and followers until a signal."""
    stop, wake = stop_on_signals(), Wake()
    async with await Database.open(url, maximum=6) as database, asyncio.TaskGroup() as group:
        leadership = Leadership(database)
        group.create_task(leadership.watch(stop))
        group.create_task(sealer.run(database, stop))
        group.create_task(wake.listen(database, stop))
        for follower in FOLLOWERS:
            group.create_task(follow(follower(), database, wake, stop, leadership, Share(1, stop)))


@contextmanager
def worker(url: str) -> Iterator[None]:
    """A worker process beside, caught up when this returns and when it ends."""
    process = subprocess.Popen([sys.executable, "-m", "bench.log_append", "--work", url])
    try:
        asyncio.run(caught_up(url))
        yield
        asyncio.run(caught_up(url))
    finally:
        process.terminate()
        process.wait()


async def caught_up(url: str) -> None:
    """Wait until every event is sealed and every follower has it."""
    waiting = """
        select count(*) from (select max(last_position) as last from acta.seals) s
        where (select count(*) from acta.events) > last
           or (select count(*) from acta.cursors where name = any(%(names)s) and position >= last) < %(most)s
    """
    names = [follower.name for follower in FOLLOWERS]
    wanted = {"names": names, "most": len(names)}
    async with await Database.open(url) as database, database.connection() as connection:
        while True:
            row = await (await connection.execute(waiting, wanted)).fetchone()
            if row == (0,):
                return
            await asyncio.sleep(0.1)


async def write_from_python(url: str, seconds: float, clients: int) -> float:
    """Commands per second of one process with as many connections."""
    statement = WRITE.format(id="%(id)s")

    async def writer(number: int) -> int:
        chance, done = random.Random(number), 0
        async with await database.dedicated() as connection:
            while time.monotonic() < end:
                await connection.execute(statement, {"id": chance.randint(1, ROWS)})
                done += 1
        return done

    async with await Database.open(url) as database:
        end = time.monotonic() + seconds
        return sum(await asyncio.gather(*(writer(number) for number in range(clients)))) / seconds


def write_from_pgbench(url: str, seconds: float, clients: int) -> float:
    """Commands per second of pgbench."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(f"\\set id random(1, {ROWS})\n" + " ".join(WRITE.format(id=":id").split()) + ";\n")
        script.flush()
        done = subprocess.run(
            [
                str(installed_programs() / "pgbench"), "--no-vacuum", "--protocol=prepared", "--jobs=2",
                f"--client={clients}", f"--time={int(seconds)}", f"--file={script.name}", url,
            ],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("tps = "))
    return float(line.split()[2])


@contextmanager
def server() -> Iterator[str]:
    """URL of an administrative database."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="acta-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        with running(Path(folder), say=print, die_with_parent=True) as embedded:
            yield embedded.url(SUPERUSER)


@contextmanager
def empty_log(administrative: str) -> Iterator[str]:
    """URL of a new database with a table and a log."""
    url = urlunsplit(urlsplit(administrative)._replace(path=f"/{NAME}"))
    with psycopg.connect(administrative, autocommit=True) as connection:
        connection.execute(f"drop database if exists {NAME} with (force)")
        connection.execute(f"create database {NAME}")
        try:
            with psycopg.connect(url, autocommit=True) as other:
                for statement in TABLE.split(";"):
                    if statement.strip():
                        other.execute(statement)
            asyncio.run(prepared(url))
            yield url
        finally:
            connection.execute(f"drop database if exists {NAME} with (force)")


async def prepared(url: str) -> None:
    """Make the log."""
    async with await Database.open(url) as database:
        await prepare(database)
        async with await database.dedicated() as connection:
            assert await Sealer.try_open(connection)


def measure(url: str, kind: str, rounds: int, seconds: float, clients: int) -> dict[str, object]:
    """Rates without and with the worker, and the ratio of their medians."""

    def write() -> float:
        if kind == "pgbench":
            return write_from_pgbench(url, seconds, clients)
        return asyncio.run(write_from_python(url, seconds, clients))

    alone, beside = [], []
    write()
    for _ in range(rounds):
        with worker(url):
            pass
        alone.append(write())
        with worker(url):
            beside.append(write())
    ratio = statistics.median(beside) / statistics.median(alone)
    return {
        "writers": kind,
        "clients": clients,
        "alone": [round(rate) for rate in alone],
        "beside a worker": [round(rate) for rate in beside],
        "ratio": round(ratio, 3),
    }


def main() -> None:
    """Measure, print one JSON object per kind of writers, and fail below the goal."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", metavar="URL", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--writers", choices=("asyncio", "pgbench"), action="append")
    options = parser.parse_args()
    if options.work:
        asyncio.run(work(options.work))
        return
    ratios = []
    with server() as administrative:
        for kind in options.writers or ("asyncio", "pgbench"):
            with empty_log(administrative) as url:
                found = measure(url, kind, options.rounds, options.seconds, options.clients)
            print(json.dumps(found), flush=True)
            ratios.append(float(str(found["ratio"])))
    if min(ratios) < GOAL:
        sys.exit(f"below the goal of {GOAL}")


if __name__ == "__main__":
    main()
