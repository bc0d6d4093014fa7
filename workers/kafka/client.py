"""The only module that knows `kafka-python`. Blocking: each object is used by one thread at a time.

Every batch is one transaction that also holds where the publisher is, in a compacted topic. So readers with
``isolation.level=read_committed`` see each position once, whatever was killed when: on start the unfinished
transaction is aborted and the place is read back. Opening a publisher fences every other of the same name.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAlreadyExistsError,
)
from kafka.partitioner import Partitioner, murmur2

from domain.settings_streams import KafkaSettings
from domain.streams.cloud_events import Message
from workers.follower import EnvironmentTrouble

logger = logging.getLogger(__name__)

REQUEST_MS: Final = 5_000
BLOCK_MS: Final = 10_000
DELIVERY_SECONDS: Final = 10
COMMIT_SECONDS: Final = 10
TRANSACTION_MS: Final = 60_000
BATCH_BYTES: Final = 256 * 1024
LINGER_MS: Final = 5
CLOSE_SECONDS: Final = 2
READ_MS: Final = 1000
BROKER_DEFAULT: Final = -1
KEYS_KEPT: Final = 50_000
# An event, not the broker, is to blame for these.
OF_THE_MESSAGE: Final = (
    InvalidTopicError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
)


class RefusedMessage(Exception):
    """The broker will never take a message as it is."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a publisher has come: the last position, its ``seq``, and the rewinds it knew of."""

    position: int
    seq: int
    rewinds: int


class Client:
    """A transactional producer. Call `open` first; after any error only `close`, then `open` again."""

    def __init__(self, settings: KafkaSettings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._options = connection_options(settings)
        self._producer: Any = None
        self._topics: set[str] = set()

    @property
    def is_open(self) -> bool:
        """Whether `publish` may be called."""
        return self._producer is not None

    def open(self) -> Place | None:
        """Connect, fence others of the name, and read how far it has come.

        Raises:
            EnvironmentTrouble: when no broker can be reached, or it refuses us.
        """
        try:
            producer = KafkaProducer(
                **self._options,
                transactional_id=self._name,
                transaction_timeout_ms=TRANSACTION_MS,
                max_block_ms=BLOCK_MS,
                delivery_timeout_ms=DELIVERY_SECONDS * 1000,
                batch_size=BATCH_BYTES,
                linger_ms=LINGER_MS,
                max_request_size=self._settings.max_message_bytes + BATCH_BYTES,
                compression_type=self._settings.compression,
                allow_auto_create_topics=False,
                partitioner=KeyPartitioner(),
            )
            self._producer = producer
            self._ensure({self._settings.cursor_topic}, {"cleanup.policy": "compact"})
            producer.init_transactions()
            return self._read_place()
        except (KafkaError, OSError, ValueError) as error:
            self.close()
            # A constructor that fails lets go of its sockets only with the frames of its error.
            traceback.clear_frames(error.__traceback__)
            raise EnvironmentTrouble(_told(error)) from None

    def publish(self, messages: Sequence[Message], place: Place | None) -> None:
        """Send messages, and the place if there is one, in one transaction.

        Raises:
            EnvironmentTrouble: nothing was committed, or that is not known; open again.
            RefusedMessage: a message can't be sent at all.
        """
        try:
            self._ensure({message.topic for message in messages})
            self._producer.begin_transaction()
            sent = [
                self._producer.send(
                    message.topic, key=message.key, value=message.value, headers=message.headers
                )
                for message in messages
            ]
            if place is not None:
                value = orjson.dumps({"position": place.position, "seq": place.seq, "rewinds": place.rewinds})
                topic = self._settings.cursor_topic
                sent.append(self._producer.send(topic, key=self._name.encode(), value=value))
            # Both would wait for ever by themselves, for a topic that is gone or a broker that stays away.
            self._producer.flush(DELIVERY_SECONDS)
            for future in sent:
                if not future.succeeded():
                    future.get(0)
            _within(COMMIT_SECONDS, self._producer.commit_transaction)
        except (KafkaError, OSError, TimeoutError) as error:
            self.close()
            # What comes after a refused message is refused with an error that holds the first one's.
            if any(isinstance(cause, OF_THE_MESSAGE) for cause in (error, *error.args)):
                raise RefusedMessage(_told(error)) from error
            raise EnvironmentTrouble(_told(error)) from error

    def close(self) -> None:
        """Let go of the broker; an unfinished transaction is left to be aborted by the next `open`."""
        producer, self._producer, self._topics = self._producer, None, set()
        if producer is None:
            return
        try:
            producer.close(timeout=CLOSE_SECONDS)
        except (KafkaError, OSError):
            # It gives up at what can't be sent any more, before it ends its thread and connections.
            producer._sender.force_close()

    def _ensure(self, topics: set[str], configuration: dict[str, str] | None = None) -> None:
        missing = topics - self._topics
        if not missing:
            return
        settings = self._settings
        admin = KafkaAdminClient(**self._options)
        try:
            for topic in sorted(missing - set(admin.list_topics())):
                compacted = configuration is not None
                wanted = {
                    "num_partitions": 1 if compacted else settings.partitions or BROKER_DEFAULT,
                    "replication_factor": settings.replication_factor or BROKER_DEFAULT,
                    "configs": configuration or {},
                }
                with suppress(TopicAlreadyExistsError):
                    admin.create_topics({topic: wanted}, wait_for_metadata=True)
                    logger.info("kafka: made topic %s", topic)
        finally:
            admin.close()
        self._topics |= missing

    def _read_place(self) -> Place | None:
        where = TopicPartition(self._settings.cursor_topic, 0)
        consumer = KafkaConsumer(**self._options, isolation_level="read_committed", enable_auto_commit=False)
        found = None
        try:
            consumer.assign([where])
            consumer.seek_to_beginning(where)
            end = consumer.end_offsets([where])[where]
            while consumer.position(where) < end:
                for record in consumer.poll(timeout_ms=READ_MS).get(where, []):
                    if record.key == self._name.encode() and record.value is not None:
                        found = Place(**orjson.loads(record.value))
        finally:
            consumer.close(autocommit=False)
        return found


class KeyPartitioner(Partitioner):  # type: ignore[misc]
    """The partition that every client of Kafka gives a key; those of recent keys are known without working
    them out again."""

    def __init__(self) -> None:
        self._hash = lru_cache(maxsize=KEYS_KEPT)(murmur2)

    def partition(
        self, topic: str, key: bytes, serialized_key: bytes, value: Any, serialized_value: Any, cluster: Any
    ) -> int:
        """The partition of a message of ours, which all have keys."""
        partitions = cluster.partitions_for_topic(topic)
        if len(partitions) == 1:
            return int(next(iter(partitions)))
        return int(sorted(partitions)[(self._hash(serialized_key) & 0x7FFFFFFF) % len(partitions)])


def _within(seconds: float, work: Callable[[], None]) -> None:
    outcome: Future[None] = Future()

    def run() -> None:
        try:
            work()
            outcome.set_result(None)
        except BaseException as error:  # noqa: BLE001 (told to the caller)
            outcome.set_exception(error)

    threading.Thread(target=run, name="kafka commit", daemon=True).start()
    outcome.result(seconds)


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """How to reach the brokers: what producer, consumer and administrator have in common."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": settings.instance,
        "security_protocol": settings.security_protocol,
        "request_timeout_ms": REQUEST_MS,
        "bootstrap_timeout_ms": REQUEST_MS,
        "reconnect_backoff_max_ms": 1000,
        "ssl_cafile": settings.ssl_ca_file,
        "ssl_certfile": settings.ssl_cert_file,
        "ssl_keyfile": settings.ssl_key_file,
        "ssl_check_hostname": settings.ssl_check_hostname,
    }
    if settings.ssl_key_password is not None:
        options["ssl_password"] = settings.ssl_key_password.get_secret_value()
    if settings.security_protocol.startswith("SASL"):
        password = settings.sasl_password.get_secret_value() if settings.sasl_password else None
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": password,
        }
    return options


def _told(error: Exception) -> str:
    return f"Kafka: {type(error).__name__}: {error}"
