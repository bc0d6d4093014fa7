"""Erase values from the history of an item for good, as the law may demand.

The chain holds digests of payloads, so what was sealed stays provable: a ``log.redacted`` event notes the
digests before, and `projections.log.verify` takes those. The live row is the caller's business: change or
delete it first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from domain.errors import InvalidPayload, ServiceUnavailable
from domain.events import LogRedacted
from domain.log.originator import join_originator
from projections.database import Connection, Database
from projections.log.append import append
from projections.log.seal import SQL as SEAL
from projections.sql import load

SQL: Final = load("log/redact")
ERASE: Final = SQL["erase"].format(payload=SEAL["payload_digest"], meta=SEAL["meta_digest"])
WAIT_SECONDS: Final = 0.05
WAITS: Final = 400


async def redact(
    database: Database,
    collection: str,
    item: str,
    fields: Sequence[str],
    *,
    shown: Mapping[str, str] | None = None,
    actor: UUID | None = None,
) -> int:
    """Erase some fields' values from all events of an item; gives the number of events that held any.

    ``shown`` has the texts that stand for the values of some of the fields from now on.

    Waits until the item's events are sealed, which takes a running sealer. The event that notes an erasure
    names the fields and has no values. Raises InvalidPayload while events of the item are archived.
    """
    what: dict[str, Any] = {"collection": collection, "item": item, "fields": list(fields)}
    what["shown"] = Jsonb(dict(shown or {}))
    for _ in range(WAITS):
        if not await _unsealed(database, what):
            break
        await asyncio.sleep(WAIT_SECONDS)
    else:
        raise ServiceUnavailable("log", "the item's events aren't sealed: no worker runs")
    async with database.transaction() as connection:
        row = await (await connection.execute(SQL["archived"], what)).fetchone()
        if row is not None and row[0]:
            raise InvalidPayload(
                f'Events of item "{item}" are archived: "acta log recall" brings them back, erase them then'
            )
        erased = await _erase(connection, what)
        meta = {"shown": dict(shown)} if shown else None
        await append(connection, [_event(what, row, actor, meta) for row in erased])
    return len(erased)


async def _unsealed(database: Database, what: dict[str, Any]) -> bool:
    async with database.connection() as connection:
        row = await (await connection.execute(SQL["unsealed"], what)).fetchone()
        return row is not None and row[0]


async def _erase(connection: Connection, what: dict[str, Any]) -> list[TupleRow]:
    await connection.execute(SQL["allow"])
    erased = await (await connection.execute(ERASE, what)).fetchall()
    await connection.execute(SQL["forget"], what)
    return erased


def _event(
    what: dict[str, Any], row: TupleRow, actor: UUID | None, meta: dict[str, Any] | None
) -> LogRedacted:
    seq, payload_before, payload_after, meta_before, meta_after = row
    return LogRedacted(
        originator_id=join_originator(what["collection"], what["item"]),
        actor=actor,
        meta=meta,
        seq=seq,
        fields=what["fields"],
        payload_before=payload_before,
        payload_after=payload_after,
        meta_before=meta_before,
        meta_after=meta_after,
    )
