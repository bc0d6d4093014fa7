"""What streams give and cost: events to Kafka from a backlog, how late they are, and writes with and without.

Kafka is a broker of its own (as in the tests), webhooks go to a receiver that answers at once, both niced: on
one's own machine they would stand elsewhere.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psycopg
from kafka import KafkaConsumer

from bench.cases import Case, Variable
from bench.client import call
from bench.databases import Databases
from bench.load import rate
from bench.results import lateness
from bench.servers import Server, acta_server, free_port
from tests.support.kafka import Broker, running_broker

SIDE = "streams"
PREFIX = "bench"
WAIT_SECONDS = 300.0
PACE = 200
NICENESS = 10
TABLES = """
    create table notes (id serial primary key, title text, body text, num int);
    create table heard (id serial primary key, title text);
"""
BACKLOG = """
    insert into acta.events (topic, collection, item, actor, request, payload, meta)
    select 'item.updated', 'notes', (n %% 1000)::text, '00000000-0000-0000-0000-000000000001',
        gen_random_uuid(),
        jsonb_build_object('title', 'Title number ' || n, 'body', repeat('lorem ipsum ', 15), 'num', n),
        '{"fields": ["title", "body", "num"]}'
    from generate_series(1, %(events)s) n
"""
WRITE = """
    insert into acta.events (topic, collection, item, payload)
    values ('item.created', 'late', %(item)s, jsonb_build_object('n', %(item)s::text))
"""
PUBLISHED = "select coalesce(max(position), 0) from acta.cursors where name = 'kafka'"
SEALED = "select coalesce(max(last_position), 0) from acta.seals"
CREATE = Case(
    "write",
    "create one",
    "/items/notes",
    "POST",
    '{"title": "A note <number>", "body": "' + "lorem ipsum " * 15 + '", "num": 1}',
    (Variable("number", 1, 1_000_000),),
)


@dataclass
class Found:
    """The numbers: events a second, delays in seconds, writes a second without and with."""

    published: float = 0.0
    late: list[float] = field(default_factory=list)
    without: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """What is left of the rate of writes; rounds are compared in pairs."""
        return statistics.median(more / less for less, more in zip(self.without, self.beside, strict=True))


def measure(
    postgres: str,
    work: Path,
    events: int,
    seconds: float,
    rounds: int,
    say: Callable[[str], None],
) -> Found:
    """All of it, one after the other."""
    found = Found()
    with running_broker() as broker:
        databases = Databases(postgres)
        with _started(databases, work, broker) as (server, url):
            found.published = _backlog(server, url, events, say)
            say(f"{events} events: {found.published:.0f} a second")
            found.late = asyncio.run(_late(url, broker, seconds))
            say(f"{len(found.late)} events at {PACE} a second: {lateness(found.late, 0.99)}")
        _writes(databases, work, broker, found, seconds, rounds, say)
    return found


@contextmanager
def _started(databases: Databases, work: Path, broker: Broker) -> Iterator[tuple[Server, str]]:
    """An Acta that publishes, on a fresh database."""
    server, url = _made(databases, work, SIDE, _kafka(broker))
    server.start()
    try:
        yield server, url
    finally:
        server.stop()


def _made(databases: Databases, work: Path, side: str, extra: dict[str, str]) -> tuple[Server, str]:
    databases.empty(side)
    url = databases.url(side)
    with psycopg.connect(url) as connection:
        connection.execute(TABLES)
    server = acta_server(url, work)
    server.side, server.first = side, "/server/ping"
    server.environment.update(extra)
    return server, url


def _kafka(broker: Broker) -> dict[str, str]:
    names = {
        "TOPIC": PREFIX + ".{collection}",
        "SCHEMA_TOPIC": f"{PREFIX}.schema",
        "CURSOR_TOPIC": f"{PREFIX}.at",
    }
    number = os.urandom(4).hex()
    return {
        "KAFKA_BOOTSTRAP_SERVERS": broker.address,
        "KAFKA_INSTANCE": f"bench-{number}",
        **{f"KAFKA_{name}": value for name, value in names.items()},
    }


def _number(url: str, statement: Any) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return int(row[0])


def _until(holds: Callable[[], bool]) -> float:
    """Wait; the moment it held."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)
    return time.monotonic()


def _backlog(server: Server, url: str, events: int, say: Callable[[str], None]) -> float:
    """Events a second from a backlog: the publisher starts when all of it is sealed."""
    before = _until_level(url)
    with psycopg.connect(url) as connection:
        connection.execute("update acta.cursors set paused = true where name = 'kafka'")
    with psycopg.connect(url) as connection:
        connection.execute(BACKLOG, {"events": events})
    _until(lambda: _number(url, SEALED) >= before + events)
    say("the backlog is sealed")
    began = time.monotonic()
    with psycopg.connect(url) as connection:
        connection.execute("update acta.cursors set paused = false where name = 'kafka'")
    return events / (_until(lambda: _number(url, PUBLISHED) >= before + events) - began)


def _until_level(url: str) -> int:
    """Wait until all that is sealed is published; the position."""
    with psycopg.connect(url) as connection:
        connection.execute(WRITE, {"item": "first"})
    _until(lambda: 0 < _number(url, SEALED) == _number(url, PUBLISHED))
    return _number(url, SEALED)


async def _late(url: str, broker: Broker, seconds: float) -> list[float]:
    """From commit to record, as a consumer of what is committed sees it."""
    sent: dict[str, float] = {}
    late: list[float] = []
    stop = threading.Event()
    consumer = KafkaConsumer(
        f"{PREFIX}.late",
        bootstrap_servers=broker.address,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )

    def listen() -> None:
        while not stop.is_set():
            for records in consumer.poll(timeout_ms=100).values():
                now = time.perf_counter()
                for record in records:
                    number = orjson.loads(record.value)["data"]["n"]
                    if number in sent:
                        late.append(now - sent.pop(number))

    listening = threading.Thread(target=listen)
    listening.start()
    try:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            began = time.perf_counter()
            for number in itertools.count():
                due = began + number / PACE
                if due > began + seconds:
                    break
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                # Its record may be there before the answer of the commit.
                sent[str(number)] = time.perf_counter()
                await connection.execute(WRITE, {"item": str(number)})
        await asyncio.to_thread(_until, lambda: not sent)
    finally:
        stop.set()
        listening.join()
        consumer.close(autocommit=False)
    return late


def _writes(
    databases: Databases,
    work: Path,
    broker: Broker,
    found: Found,
    seconds: float,
    rounds: int,
    say: Callable[[str], None],
) -> None:
    """Writes a second of a plain Acta and of one with Kafka, three webhooks and a flow, in turns."""
    plain, _ = _made(databases, work, "plain", {})
    full, _ = _made(databases, work, SIDE, {**_kafka(broker), "IMPORT_IP_DENY_LIST": "10.0.0.0/8"})
    with _receiver() as receiver:
        full.start()
        _listeners(full, receiver)
        full.stop()
        for _ in range(rounds):
            # The other one does not run, not even to catch up.
            for server, rates in ((plain, found.without), (full, found.beside)):
                server.start()
                rate(CREATE, server.url, 1, work)
                rates.append(rate(CREATE, server.url, seconds, work))
                server.stop()
            say(f"{found.without[-1]:.0f} writes a second alone, {found.beside[-1]:.0f} with listeners")


def _listeners(server: Server, receiver: str) -> None:
    """Three webhooks and a flow that writes something for each note."""
    for number in range(3):
        _post(
            server,
            "/webhooks",
            {
                "name": f"hook {number}",
                "url": f"{receiver}/{number}",
                "actions": ["create", "update", "delete"],
                "collections": ["notes"],
                "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            },
        )
    options = {"type": "action", "scope": ["items.create"], "collections": ["notes"]}
    flow = _post(
        server,
        "/flows",
        {"name": "f", "status": "active", "trigger": "event", "accountability": None, "options": options},
    )
    operation = _post(
        server,
        "/operations",
        {
            "flow": flow,
            "key": "one",
            "type": "item-create",
            "position_x": 1,
            "position_y": 1,
            "options": {"collection": "heard", "payload": {"title": "{{ $trigger.payload.title }}"}},
        },
    )
    done = call(f"{server.url}/flows/{flow}", "PATCH", orjson.dumps({"operation": operation}).decode())
    if not done.ok:
        raise RuntimeError(done.body)


def _post(server: Server, path: str, body: dict[str, Any]) -> Any:
    done = call(server.url + path, "POST", orjson.dumps(body).decode())
    if not done.ok:
        raise RuntimeError(done.body)
    return orjson.loads(done.body)["data"]["id"]


class _Answering(asyncio.Protocol):
    """Answers 204 to any request that ends with its first piece or the next ones, and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """All of our requests are small: the body is the last that comes."""
        if data.rstrip().endswith(b"}"):
            assert isinstance(self._transport, asyncio.Transport)
            self._transport.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            self._transport.close()


def _receive(port: int) -> None:
    os.nice(NICENESS)

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def _receiver() -> Iterator[str]:
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=_receive, args=(port,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.join()
