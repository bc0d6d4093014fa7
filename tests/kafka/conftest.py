"""One broker for all tests of a module, topics of its own for each test, and a consumer."""

import gc
import itertools
import os
import threading
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from domain.settings import Settings
from projections.database import Database
from projections.prepare import prepare
from tests.support.kafka import Broker, running_broker

HERE = Path(__file__).parent
_numbers = itertools.count(1)
THREAD_SECONDS = 20.0
# The client library leaves sockets open whose connection was refused or lost.
LEFT = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bear with the library in these tests, and in no others."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(LEFT)


def _collect_the_librarys() -> None:
    """Drop here what the library left, not in somebody else's test."""
    deadline = time.monotonic() + THREAD_SECONDS
    while time.monotonic() < deadline and any(
        "kafka" in thread.name.lower() for thread in threading.enumerate()
    ):
        time.sleep(0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(autouse=True)
def _nothing_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let go of logged errors too: they hold on to connections."""
    yield
    for phase in ("setup", "call"):
        caplog.get_records(phase).clear()
    _collect_the_librarys()


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with running_broker() as found:
        yield found
    _collect_the_librarys()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A prepared database, as `acta serve` leaves it."""
    async with await Database.open(database_url, minimum=2, maximum=20, application="acta-tests") as database:
        await prepare(database)
        yield database


@dataclass(frozen=True)
class Stream:
    """The topics of one test."""

    broker: Broker
    prefix: str
    environment: dict[str, str]

    def settings(self, database_url: str, **more: str) -> Settings:
        return Settings.parse({**self.environment, "DATABASE_URL": database_url, **more})

    def records(self, collection: str | None = None, *, isolation: str = "read_committed") -> list[Any]:
        """Everything in the topics so far, partition by partition."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.broker.address, isolation_level=isolation, enable_auto_commit=False
        )
        try:
            wanted = f"{self.prefix}.{collection or ''}"
            topics = [
                name
                for name in consumer.topics()
                if name.startswith(wanted) and not name.endswith(".cursors")
            ]
            parts = [
                TopicPartition(topic, number)
                for topic in topics
                for number in consumer.partitions_for_topic(topic)
            ]
            found: list[Any] = []
            if parts:
                consumer.assign(parts)
                consumer.seek_to_beginning(*parts)
                ends = consumer.end_offsets(parts)
                while any(consumer.position(part) < ends[part] for part in parts):
                    for records in consumer.poll(timeout_ms=200).values():
                        found += records
            return found
        finally:
            consumer.close(autocommit=False)

    def delete_topic(self, name: str) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.broker.address)
        admin.delete_topics([name])
        admin.close()


@pytest.fixture
def stream(broker: Broker) -> Stream:
    prefix = f"t{os.getpid()}x{next(_numbers)}"
    return Stream(
        broker,
        prefix,
        {
            "KAFKA_BOOTSTRAP_SERVERS": broker.address,
            "KAFKA_INSTANCE": prefix,
            "KAFKA_TOPIC": prefix + ".{collection}",
            "KAFKA_SCHEMA_TOPIC": f"{prefix}.schema",
            "KAFKA_CURSOR_TOPIC": f"{prefix}.cursors",
            "PUBLIC_URL": "https://cms.example.com",
        },
    )


def header(record: Any, name: str) -> str | None:
    """The value of a header; None without it."""
    return next((value.decode() for key, value in record.headers if key == name), None)


def position(record: Any) -> int:
    """The position of a record, by its header."""
    found = header(record, "position")
    assert found is not None
    return int(found)


def event(record: Any) -> dict[str, Any]:
    """The CloudEvent of a record."""
    parsed: dict[str, Any] = orjson.loads(record.value)
    return parsed
