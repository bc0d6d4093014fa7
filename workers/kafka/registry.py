"""Tells a schema registry what the messages of each topic look like, at the start and when the model changes.

It speaks the REST interface that Confluent's registry has and others share. Nothing waits for it: while it is
away, events are published all the same, and the schemas follow when it answers. A schema that it refuses (as
incompatible, say) is told in the log, and the next one of that topic is tried.
"""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from typing import Final
from urllib.parse import quote

import aiohttp
import orjson

from domain.model import Model
from domain.settings_streams import KafkaSettings
from domain.streams.specs import value_schemas
from projections.tables.store import ModelStore
from workers.stopping import sleep

log = logging.getLogger("acta.kafka.registry")

FIRST_RETRY_SECONDS: Final = 1.0
LAST_RETRY_SECONDS: Final = 60.0
TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
CONTENT_TYPE: Final = "application/vnd.schemaregistry.v1+json"


class Registry:
    """The registry of the settings. Several processes may tell it the same; it keeps it once."""

    def __init__(self, settings: KafkaSettings, models: ModelStore) -> None:
        self._settings = settings
        self._models = models
        self._changed = asyncio.Event()
        self._told: dict[str, str] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Keep it up to date until told to stop."""
        self._models.on_change(lambda _: self._changed.set())
        self._changed.set()
        retry = FIRST_RETRY_SECONDS
        async with aiohttp.ClientSession(timeout=TIMEOUT, headers=self._headers()) as session:
            while not stop.is_set():
                await _either(self._changed, stop)
                if stop.is_set():
                    return
                self._changed.clear()
                try:
                    await self._tell(session, self._models.current)
                    retry = FIRST_RETRY_SECONDS
                except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                    reason = str(error) or type(error).__name__
                    log.warning("the schema registry can't be told: %s; again in %g s", reason, retry)
                    await sleep(stop, retry)
                    retry = min(retry * 2, LAST_RETRY_SECONDS)
                    self._changed.set()

    def _headers(self) -> dict[str, str]:
        found = {"Content-Type": CONTENT_TYPE}
        user, password = self._settings.registry_username, self._settings.registry_password
        if user is not None:
            secret = "" if password is None else password.get_secret_value()
            found["Authorization"] = "Basic " + b64encode(f"{user}:{secret}".encode()).decode()
        return found

    async def _tell(self, session: aiohttp.ClientSession, model: Model) -> None:
        collections = [found for found in model.collections.values() if found.writable]
        schemas = value_schemas(collections, self._settings.topic, self._settings.schema_topic)
        for topic, schema in schemas.items():
            text = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS).decode()
            if self._told.get(topic) != text:
                await self._register(session, f"{topic}-value", text)
                self._told[topic] = text

    async def _register(self, session: aiohttp.ClientSession, subject: str, text: str) -> None:
        """Tell of one subject. Raises aiohttp.ClientError when it has to be told again."""
        url = f"{str(self._settings.registry_url).rstrip('/')}/subjects/{quote(subject, safe='')}/versions"
        body = orjson.dumps({"schemaType": "JSON", "schema": text})
        async with session.post(url, data=body) as response:
            if response.status >= 500 or response.status in (401, 403, 404, 408, 429):
                raise aiohttp.ClientError(f"it answered {response.status}")
            if response.status >= 400:
                said = (await response.content.read(500)).decode("utf-8", "replace")
                log.error("the schema registry refuses %s: %s %s", subject, response.status, said)


async def _either(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
