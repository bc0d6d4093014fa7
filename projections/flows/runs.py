"""Runs that events have set off: begun with the follower's position, kept after each operation."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from domain.access.caller import Caller
from domain.access.secrets import masked
from domain.flows.model import Flow
from domain.flows.running import Run
from domain.flows.subscriptions import event_name, listening, names_of_event
from domain.log.changes import Change, changes, submitted, tells_of_model
from domain.log.record import Record
from projections.database import Connection
from projections.files.versions import STORED
from projections.flows.chain import LONGEST, after
from projections.flows.rows import Kind, rows
from projections.flows.store import load_flows
from projections.sql import load

log = logging.getLogger("acta.flows")
SQL: Final = load("flows/runs")
CALLERS: Final = load("flows/callers")
FLOWS: Final = load("flows/flows")


@dataclass(frozen=True, slots=True)
class Kept:
    """A run as it stands in the database; ``state`` is None before its first operation."""

    id: int
    flow: str
    trigger: Any
    accountability: dict[str, Any] | None
    request: UUID | None
    state: dict[str, Any] | None
    chain: int = 0


async def is_awaiting(connection: Connection) -> bool:
    """Whether any active flow may listen to events; told without loading them."""
    row = await (await connection.execute(FLOWS["awaiting"])).fetchone()
    return row is not None and bool(row[0])


async def begun_at(connection: Connection) -> datetime:
    """When this database began to run flows."""
    row = await (await connection.execute(FLOWS["begun_at"])).fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


async def begin_runs(connection: Connection, records: Sequence[Record]) -> int:
    """Begin the runs of all flows that listen to these events; how many."""
    flows = listening((await load_flows(connection)).values(), "action")
    if not flows:
        return 0
    begun = 0
    secrets: dict[str, frozenset[str]] = {}
    for change in changes(record for record in records if not (record.meta or {}).get("cause")):
        concrete, names = named(change)
        first = min(record.seq for record in change.records)
        for flow in (flow for name in names for flow in flows.get(name, ()) if flow.since < first):
            if _goes_on(flow, change.records[-1]):
                if change.collection not in secrets:
                    secrets[change.collection] = await secret_fields(connection, change.collection)
                trigger = told(change, concrete, secrets[change.collection])
                await _begin(connection, flow, change.records[-1], change.position, trigger)
                begun += 1
    for row in await rows(connection, records, flows.__contains__):
        if row.of_chained_run:
            continue
        for flow in flows[row.told["event"]]:
            if flow.since < row.record.seq and _goes_on(flow, row.record):
                await _begin(connection, flow, row.record, row.record.position, row.told, row.kind)
                begun += 1
    return begun


def _goes_on(flow: Flow, record: Record) -> bool:
    """Whether the chain that an event is part of is not too long yet."""
    if after(record) <= LONGEST:
        return True
    log.error("flow %s does not run: %d runs have set each other off already", flow.name, LONGEST)
    return False


def named(change: Change) -> tuple[str, tuple[str, ...]]:
    """The name of what has happened, and those that its listeners may have given."""
    if change.collection == "directus_files" and any(STORED in (one.meta or {}) for one in change.records):
        return "files.upload", ("files.upload",)
    return event_name(change.collection, change.action), names_of_event(change.collection, change.action)


async def secret_fields(connection: Connection, collection: str) -> frozenset[str]:
    """The fields of a collection that nobody is told the values of."""
    cursor = await connection.execute(SQL["secret_fields"], {"collection": collection})
    return frozenset(name for (name,) in await cursor.fetchall())


async def _begin(
    connection: Connection,
    flow: Flow,
    record: Record,
    position: int,
    trigger: dict[str, Any],
    kind: Kind | Literal["change"] = "change",
) -> None:
    values = {
        "flow": flow.id,
        "position": position,
        "kind": kind,
        "trigger": Jsonb(trigger),
        "accountability": Jsonb(await who(connection, record)),
        "request": record.request,
        "chain": after(record),
    }
    await connection.execute(SQL["begin"], values)


def told(change: Change, event: str, secrets: Collection[str]) -> dict[str, Any]:
    """A change as flows and hooks are told of it: event, payload, key or keys, collection.

    Values of ``secrets`` are masked: what the log holds of them are digests and concealed texts.
    """
    keys: list[Any] = list(change.keys)
    collection = _target(change)
    if collection is None:
        collection = change.collection
    else:
        keys = [record.item for record in change.records]
    if change.action == "delete":
        return {"event": event, "payload": keys, "keys": keys, "collection": collection}
    payload = masked(submitted(change.records[0]), secrets)
    if change.action == "create":
        key = keys[0]
        typed = int(key) if key.isascii() and key.isdigit() and len(key) < 16 else key
        return {"event": event, "payload": payload, "key": typed, "collection": collection}
    return {"event": event, "payload": payload, "keys": keys, "collection": collection}


def _target(change: Change) -> str | None:
    """The collection whose fields or relations have changed, None for any other change, or one of several.

    Rows of their metadata are items of a system collection, and told as such.
    """
    parts = {record.collection for record in change.records if tells_of_model(record) and record.item}
    return parts.pop() if len(parts) == 1 else None


async def who(connection: Connection, record: Record) -> dict[str, Any] | None:
    """On whose behalf an event happened: user, role, ip, userAgent, origin; None for Acta itself."""
    if record.actor is None and record.context is None:
        return None
    cursor = await connection.execute(CALLERS["caller"], {"actor": record.actor, "context": record.context})
    row = await cursor.fetchone()
    assert row is not None
    role, ip, agent, origin = row
    return {
        "user": None if record.actor is None else str(record.actor),
        "role": None if role is None else str(role),
        "ip": ip,
        "userAgent": agent,
        "origin": origin,
    }


def caller_of(accountability: dict[str, Any] | None) -> Caller | None:
    """The caller of a kept run, of whom only user, role and address are known yet."""
    if accountability is None:
        return None
    user, role = accountability.get("user"), accountability.get("role")
    return Caller(
        user=UUID(user) if user else None,
        role=UUID(role) if role else None,
        ip=accountability.get("ip"),
        user_agent=accountability.get("userAgent"),
        origin=accountability.get("origin"),
    )


async def unfinished(connection: Connection, after: int, limit: int) -> list[Kept]:
    """Runs that wait, or were cut off, oldest first."""
    cursor = await connection.execute(SQL["unfinished"], {"after": after, "limit": limit})
    return [
        Kept(number, str(flow), trigger, accountability, request, state, chain)
        for number, flow, trigger, accountability, request, state, chain in await cursor.fetchall()
    ]


async def keep(connection: Connection, number: int, run: Run) -> None:
    """How far a run has come; the environment is that of whoever takes it up."""
    data = {name: value for name, value in run.data.items() if name != "$env"}
    state = {
        "data": data,
        "steps": run.steps,
        "next": run.next,
        "failed": run.error is not None,
        "messages": run.messages,
    }
    await connection.execute(SQL["keep"], {"id": number, "state": Jsonb(state)})


async def finish(connection: Connection, number: int) -> None:
    """A run is over."""
    await connection.execute(SQL["finish"], {"id": number})


async def sweep(connection: Connection) -> None:
    """Forget runs that were over long ago."""
    await connection.execute(SQL["sweep"])


async def take_tick(connection: Connection, flow: str, at: datetime) -> bool:
    """Whether this process is the one that runs a schedule's moment."""
    cursor = await connection.execute(SQL["tick"], {"flow": flow, "at": at})
    return await cursor.fetchone() is not None
