"""The follower that publishes every sealed event to Kafka, in order, each batch a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Final, TypeVar

from domain.log import Record
from domain.settings import Settings
from domain.settings_streams import KafkaSettings
from domain.streams.cloud_events import Form, Message, secret_fields
from projections.tables.store import ModelStore
from workers.follower import Batch, EnvironmentTrouble, OutwardFollower
from workers.kafka.client import Client, Place

Result = TypeVar("Result")
# Left for key, headers and the frame of a batch.
OVERHEAD_BYTES: Final = 4096


class Publisher(OutwardFollower):
    """Publishes the log. Kafka's own note of how far it is counts more than the one in PostgreSQL, which may
    be a batch behind after a crash."""

    name: ClassVar[str] = "kafka"
    batch: ClassVar[int] = 4000

    def __init__(self, settings: KafkaSettings, form: Form) -> None:
        self._client = Client(settings, settings.instance)
        self._form = form
        self._thread: ThreadPoolExecutor | None = None
        self._place: Place | None = None

    async def handle(self, records: Sequence[Record], batch: Batch) -> None:
        """Publish what Kafka does not have yet."""
        if not self._client.is_open:
            self._place = await self._run(self._client.open)
        records = self._not_published(records, batch)
        if not records:
            return
        place = Place(records[-1].position, records[-1].seq, batch.rewinds)
        messages: list[Message] = []
        for record in records:
            messages += self._form.messages(record)
        await self._run(lambda: self._client.publish(messages, place))
        self._place = place

    async def close(self) -> None:
        """Leave the broker to the process that runs the follower now."""
        if self._thread is not None:
            await self._run(self._client.close)
            self._thread.shutdown()
            self._thread = None

    def _not_published(self, records: Sequence[Record], batch: Batch) -> Sequence[Record]:
        place = self._place
        if place is None or place.rewinds != batch.rewinds or records[0].position > place.position:
            return records
        for record in records:
            if record.position == place.position and record.seq != place.seq:
                raise EnvironmentTrouble(
                    f"Kafka has another event at position {place.position}: was the database set back? "
                    "`acta followers rewind kafka --to POSITION --again` begins anew"
                )
        return [record for record in records if record.position > place.position]

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="kafka")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def form_of(settings: Settings, models: ModelStore) -> Form:
    """How the settings want events to be published."""
    kafka = settings.kafka
    return Form(
        source=kafka.source or settings.server.public_url,
        pattern=kafka.topic,
        schema_topic=kafka.schema_topic,
        tombstones=kafka.tombstones,
        largest=kafka.max_message_bytes - OVERHEAD_BYTES,
        secrets=_Secrets(models),
    )


class _Secrets:
    """The secret fields of collections, looked up once for each model."""

    def __init__(self, models: ModelStore) -> None:
        self._models = models
        self._model = models.current
        self._known: dict[str, frozenset[str]] = {}

    def __call__(self, collection: str) -> frozenset[str]:
        if self._models.current is not self._model:
            self._model, self._known = self._models.current, {}
        found = self._known.get(collection)
        if found is None:
            found = self._known[collection] = secret_fields(self._model, collection)
        return found
