"""The log as a recorder of `eventsourcing`: its applications and subscriptions over ``acta.events``.

A subclass of the library's recorder for PostgreSQL that keeps its interfaces and its contract (its own test
cases pass) and none of its SQL. What is different, and why:

* No table lock and no NOTIFY in the append: the sealer orders and notifies. A notification's id is its sealed
  position; `insert_events` therefore has an id to give only after the commit, once somebody sealed. It seals
  itself when no sealer holds the lock, and waits for the sealer otherwise.
* Positions of two transactions that run at once may interleave. Per originator the order is that of ``seq``.
* Versions are not stored: they are counted, dense, from ``first_version``. An append that expects another
count
  than there is fails with `IntegrityError`, as in the library.
* No pipeline mode (it hangs on large states) and no retry of an append (one that was committed but whose
answer
  was lost would be told as a conflict).
* States are columns: see `domain.log.mapper`. States of another shape (compressed, enciphered) are kept
whole.

Blocking, as the library is: for its applications and projections in threads, not for request handlers, and
item events belong into the statement that writes the row.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from typing import Any, Final

import orjson
from eventsourcing.persistence import IntegrityError, Notification, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import Cursor, sql
from psycopg.rows import DictRow, dict_row, tuple_row
from psycopg.types.json import Jsonb

from domain.log.originator import join_originator, split_originator
from projections.database import session_conninfo
from projections.log import seal
from projections.log.positions import SQL as POSITIONS
from projections.log.positions import at_positions
from projections.sql import load

SQL: Final = load("log/recorder")
ORIGINATOR_LOCKS: Final = 0x61637461
WAIT_SECONDS: Final = 0.01
SEALED_WITHIN_SECONDS: Final = 30.0
# Positions looked through at once for the topics of a subscription.
WINDOW: Final = 5000
COLUMNS: Final = frozenset({"at", "actor", "request", "context", "payload", "meta"})


class LogDatastore(PostgresDatastore):
    """The library's datastore for a connection URL, with Acta's session settings."""

    def __init__(self, url: str, **options: Any) -> None:
        unused: dict[str, Any] = dict.fromkeys(("dbname", "host", "port", "user", "password"), "")
        super().__init__(**unused, schema="acta", originator_id_type="text", **options)
        self.pool.conninfo = session_conninfo(url, "acta")
        self.pool.kwargs = {"row_factory": dict_row}


class ActaRecorder(PostgresApplicationRecorder):
    """Records into and reads from the log; versions of an originator begin with ``first_version``."""

    def __init__(self, datastore: PostgresDatastore, *, first_version: int = 1) -> None:
        super().__init__(datastore, events_table_name="events")
        self.channel_name = seal.CHANNEL
        self.first_version = first_version
        fragments = {"state": SQL["state"].format(), "first_version": sql.Literal(first_version)}
        self._select = {
            desc: SQL["select_events"].format(direction=sql.SQL("desc" if desc else "asc"), **fragments)
            for desc in (True, False)
        }
        self._notifications = at_positions(SQL["notifications"], **fragments)

    def create_table(self) -> None:
        """Nothing: `projections.log.prepare` makes the log's tables."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Append, commit, and give the positions; None when nobody sealed them in time."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_events(cursor, stored_events, **kwargs)
            self._require_versions(cursor, stored_events)
            cursor.execute(SQL["insert"], {"events": Jsonb([_row(event) for event in stored_events])})
            seqs = [row["seq"] for row in cursor.fetchall()]
        return self._positions(seqs) if seqs else None

    def select_events(
        self,
        originator_id: Any,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The events of one originator."""
        collection, item = split_originator(originator_id)
        values = {"collection": collection, "item": item, "gt": gt, "lte": lte, "limit": limit}
        with self.datastore.cursor() as cursor:
            cursor.execute(self._select[desc], values)
            return [
                StoredEvent(originator_id, row["originator_version"], row["topic"], bytes(row["state"]))
                for row in cursor.fetchall()
            ]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Sealed events by position."""
        after = 0 if start is None else start - 1 if inclusive_of_start else start
        last = self.max_notification_id() or 0
        stop = last if stop is None else min(stop, last)
        found: list[Notification] = []
        while after < stop and len(found) < limit:
            # Without topics each position is wanted; with some, look through more of them at once.
            window = min(WINDOW if topics else limit - len(found), stop - after)
            found += self._notified(after, window, stop, topics)
            after += window
        return found[:limit]

    def max_notification_id(self) -> int | None:
        """The last position, None in an empty log."""
        with self.datastore.cursor() as cursor:
            row = cursor.execute(POSITIONS["last_position"]).fetchone()
        assert row is not None
        return row["coalesce"] or None

    def _notified(self, after: int, window: int, stop: int, topics: Sequence[str]) -> list[Notification]:
        values = {"after": after, "limit": window, "stop": stop, "topics": list(topics)}
        with self.datastore.cursor() as cursor:
            cursor.execute(self._notifications, values)
            return [
                Notification(
                    id=row["position"],
                    originator_id=join_originator(row["collection"], row["item"]),
                    originator_version=row["originator_version"],
                    topic=row["topic"],
                    state=bytes(row["state"]),
                )
                for row in cursor.fetchall()
            ]

    def _require_versions(self, cursor: Cursor[DictRow], stored_events: Sequence[StoredEvent]) -> None:
        versions: dict[str, list[int]] = {}
        for event in stored_events:
            versions.setdefault(str(event.originator_id), []).append(event.originator_version)
        # In one order for all, or two appends could wait for each other.
        for originator, given in sorted(versions.items()):
            cursor.execute(SQL["lock_originator"], {"room": ORIGINATOR_LOCKS, "originator": originator})
            collection, item = split_originator(originator)
            row = cursor.execute(SQL["count_events"], {"collection": collection, "item": item}).fetchone()
            assert row is not None
            first = self.first_version + row["events"]
            if given != list(range(first, first + len(given))):
                raise IntegrityError(f"{originator} is at version {first - 1}: can't append {given}")

    def _positions(self, seqs: list[int]) -> list[int] | None:
        deadline = time.monotonic() + SEALED_WITHIN_SECONDS
        while time.monotonic() < deadline:
            with self.datastore.transaction(commit=True) as cursor:
                _seal_if_nobody_does(cursor)
            with self.datastore.cursor() as cursor:
                found = [row["position"] for row in cursor.execute(SQL["positions"], {"seqs": seqs})]
            if len(found) == len(seqs):
                return found
            time.sleep(WAIT_SECONDS)
        return None


def _seal_if_nobody_does(cursor: Cursor[DictRow]) -> None:
    held = cursor.execute(seal.SQL["try_transaction_lock"], {"key": seal.SEAL_LOCK}).fetchone()
    if held is None or not held["pg_try_advisory_xact_lock"]:
        return
    cursor.execute(seal.SQL["configure"], {"local": True})
    with cursor.connection.cursor(row_factory=tuple_row) as rows:
        row = rows.execute(seal.SQL["last"]).fetchone()
        assert row is not None
        chain = seal.Chain.of_row(row)
        # A log in a cluster it was restored into is left to `ensure_epoch`, which keeps writers out.
        if not chain.foreign:
            rows.execute(seal.SEAL, chain.parameters())


def _row(event: StoredEvent) -> dict[str, Any]:
    collection, item = split_originator(str(event.originator_id))
    row: dict[str, Any] = {"topic": event.topic, "collection": collection, "item": item}
    try:
        state = orjson.loads(event.state)
    except orjson.JSONDecodeError:
        state = None
    ours = isinstance(state, dict) and "payload" in state and state.keys() <= COLUMNS
    if ours and not isinstance(state["payload"], str):
        return {**row, **state}
    return {**row, "payload": base64.b64encode(event.state).decode()}
