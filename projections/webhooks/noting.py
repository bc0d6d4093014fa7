"""Which events are for which webhook: deliveries are opened in the transaction that moves a position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from psycopg.types.json import Jsonb

from domain.log.changes import Change
from domain.log.record import Record
from domain.webhooks.model import State, Webhook, change_of, folded
from projections.database import Connection
from projections.log.states import states_before
from projections.sql import load

SQL: Final = load("webhooks/deliveries")
# The first key of the advisory locks of webhooks; the second is the webhook.
LOCK_CLASS: Final = 0x61637768

Before = dict[int, tuple[State, State]]


async def webhooks(connection: Connection, webhook: int | None = None) -> list[Webhook]:
    """All webhooks, or one; active or not."""
    cursor = await connection.execute(SQL["webhooks"], {"webhook": webhook})
    return [
        Webhook(number, _names(actions), _names(collections), rule, [(seq, bool(on)) for seq, on in standing])
        for number, actions, collections, rule, standing in await cursor.fetchall()
    ]


async def note(
    connection: Connection, known: Sequence[Webhook], records: Sequence[Record], rewinds: int
) -> int:
    """Open the deliveries of these events to webhooks that were active when they happened; how many.

    What happened before the database could deliver is left out: in a restored copy nothing is sent again.
    """
    row = await (await connection.execute(SQL["since"])).fetchone()
    assert row is not None
    return await _open(connection, known, [record for record in records if record.at >= row[0]], rewinds)


async def note_again(connection: Connection, webhook: Webhook, records: Sequence[Record], replay: int) -> int:
    """Open deliveries of what a webhook listens to, whether it was active or not."""
    return await _open(connection, [webhook], records, -replay)


async def _open(
    connection: Connection, known: Sequence[Webhook], records: Sequence[Record], round_: int
) -> int:
    told = [(record, change) for record in records if (change := change_of(record)) is not None]
    wanted = [
        (webhook, record, change)
        for record, change in told
        for webhook in known
        if webhook.listens(change) and (round_ < 0 or webhook.was_active(record.seq))
    ]
    filtered = {record.collection for webhook, record, _ in wanted if webhook.filter}
    states = await _states(connection, [record for record in records if record.collection in filtered])
    rows = [
        _row(webhook, record, change, round_)
        for webhook, record, change in wanted
        if not webhook.filter or webhook.passes(states[record.position][change.action != "delete"])
    ]
    if not rows:
        return 0
    ids = sorted({row["webhook"] for row in rows})
    await connection.execute(SQL["hold"], {"class": LOCK_CLASS, "webhooks": ids})
    return (await connection.execute(SQL["note"], {"rows": Jsonb(rows)})).rowcount


def _row(webhook: Webhook, record: Record, change: Change, round_: int) -> dict[str, Any]:
    return {
        "webhook": webhook.id,
        "position": record.position,
        "round": round_,
        "seq": record.seq,
        "collection": record.collection,
        "item": record.item,
        "action": change.action,
    }


async def _states(connection: Connection, records: Sequence[Record]) -> Before:
    """The states of the events' items before and after each event, by position."""
    firsts: dict[str, dict[str, int]] = {}
    for record in records:
        if record.collection is not None and record.item is not None:
            firsts.setdefault(record.collection, {}).setdefault(record.item, record.seq)
    current: dict[tuple[str | None, str | None], State] = {}
    for collection, items in firsts.items():
        found = await states_before(connection, collection, list(items), list(items.values()))
        current |= {(collection, item): state or {} for item, state in found.items()}
    states: Before = {}
    for record in records:
        item = (record.collection, record.item)
        before = current.get(item, {})
        current[item] = folded(before, record)
        states[record.position] = (before, current[item])
    return states


def _names(text: str | None) -> frozenset[str]:
    return frozenset(name for name in (text or "").split(",") if name)
