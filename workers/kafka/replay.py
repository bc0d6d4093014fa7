"""Publish a range of the log again, beside the publisher, which goes on undisturbed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from domain.settings_streams import KafkaSettings
from domain.streams.cloud_events import Form, Message
from projections.database import Database
from projections.log.listing import Choice, listing
from workers.kafka.client import Client

REPLAYED = ("replay", b"true")


async def replay(
    database: Database,
    settings: KafkaSettings,
    form: Form,
    after: int,
    upto: int,
    choice: Choice,
    progress: Callable[[int], None],
) -> int:
    """Publish the chosen events after a position up to another, with the header ``replay``; gives how many.

    Raises:
        EnvironmentTrouble: what was published before it stays published.
    """
    client, count = Client(settings, f"{settings.instance}-replay"), 0
    await asyncio.to_thread(client.open)
    try:
        async for position, records in listing(database, after, choice):
            messages: list[Message] = []
            for record in records:
                if record.position <= upto:
                    count += 1
                    messages += form.messages(record)
            if messages:
                marked = [entry._replace(headers=[*entry.headers, REPLAYED]) for entry in messages]
                await asyncio.to_thread(client.publish, marked, None)
            progress(min(position, upto))
            if position >= upto:
                break
    finally:
        await asyncio.to_thread(client.close)
    return count
