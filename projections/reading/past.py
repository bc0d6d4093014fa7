"""Reads as of a moment: the same plans on other rows, under present rights, in the present model."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg

from domain.access.caller import Caller
from domain.access.rights import Rights
from domain.errors import ActaError, InvalidPayload, InvalidQuery, ServiceUnavailable
from domain.log.moments import When, parse_when
from domain.lru import Lru
from domain.model import Model, join_key
from domain.query.operands import Value
from domain.query.parse import parse_query
from domain.query.past import Past, PastTable, places
from domain.query.plan import ReadPlan
from domain.query.planner import key_parts, plan_item, plan_keys, plan_list, plan_singleton
from domain.query.query import Query
from projections.database import Database
from projections.log.rebuild import comparable
from projections.reading.moments import Moments
from projections.reading.reader import EMPTY_LIST, LONGEST_CACHED_TEXT, Raw, Reader, place
from projections.reading.shapes import EACH
from projections.reading.statement import Statement, envelope
from projections.sql import load
from projections.time.moments import Cut

SQL: Final = load("time/history")
MEMBER: Final = "as_of"
KEPT: Final = 8_000_000
"""Characters of all kept statements, with what each counts beside."""
ATTEMPTS: Final = 2
_NOT_YET: Final = (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable)


def names_past(raw: str | Container[str]) -> bool:
    """Whether a query may ask for a moment; cheap, since every read asks."""
    return MEMBER in raw


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a query asks for: a plan without rows yet, and the moment as it was written."""

    plan: ReadPlan
    when: str


@dataclass(frozen=True, slots=True)
class _Ready:
    """A statement for a position and the histories that it was written for."""

    position: int
    histories: Mapping[str, int]
    statement: Statement


class PastReader:
    """Answers queries with a member ``as_of``; those of a text that has none are the reader's."""

    def __init__(self, database: Database, reader: Reader, fold_limit: int) -> None:
        self._database = database
        self._reader = reader
        self._fold_limit = fold_limit
        self._moments = Moments(database)
        self._kept: Lru[tuple[Any, ...], tuple[_Asked, _Ready]] = Lru(KEPT)

    async def list(self, model: Model, rights: Rights, caller: Caller, collection: str, raw: Raw) -> bytes:
        """The list envelope."""

        def plan(query: Query) -> ReadPlan:
            return plan_list(model, rights, caller, collection, query, self._reader.limits)

        where = place(model, rights, caller, collection, "list")
        found = await self._read(model, caller, where, raw, plan)
        if found is None:
            return await self._reader.list(model, rights, caller, collection, raw)
        return found[0] or EMPTY_LIST

    async def by_keys(
        self, model: Model, rights: Rights, caller: Caller, collection: str, keys: Sequence[str], raw: Raw
    ) -> bytes:
        """The list envelope of the items of these keys that were there."""

        def plan(query: Query) -> ReadPlan:
            return plan_keys(model, rights, caller, collection, keys, query, self._reader.limits)

        found = None
        if keys:
            where = (*place(model, rights, caller, collection, "keys"), *keys)
            found = await self._read(model, caller, where, raw, plan)
        if found is None:
            return await self._reader.by_keys(model, rights, caller, collection, keys, raw)
        return found[0] or EMPTY_LIST

    async def item(
        self, model: Model, rights: Rights, caller: Caller, collection: str, key: str, raw: Raw
    ) -> bytes | None:
        """The item envelope; None when there was no such item, or none that the caller may see."""

        def plan(query: Query) -> ReadPlan:
            return plan_item(model, rights, caller, collection, query, self._reader.limits)

        where = (*place(model, rights, caller, collection, "item"), key)
        parts = key_parts(model.collections[collection], key)
        found = await self._read(model, caller, where, raw, plan, parts)
        if found is None:
            return await self._reader.item(model, rights, caller, collection, key, raw)
        return found[0]

    async def singleton(
        self, model: Model, rights: Rights, caller: Caller, collection: str, raw: Raw
    ) -> bytes:
        """The item envelope of a singleton."""

        def plan(query: Query) -> ReadPlan:
            return plan_singleton(model, rights, caller, collection, query, self._reader.limits)

        where = place(model, rights, caller, collection, "singleton")
        found = await self._read(model, caller, where, raw, plan)
        if found is None:
            return await self._reader.singleton(model, rights, caller, collection, raw)
        return found[0] or b'{"data":{}}'

    async def at(self, model: Model, plan: ReadPlan, when: When) -> ReadPlan:
        """A plan on the rows of a moment.

        Raises:
            InvalidQuery: for a moment that the log does not have.
        """
        cut = await self._moments.cut(when)
        histories = await self._moments.histories(cut.position)
        return replace(plan, past=await self._past(model, plan, cut, histories))

    async def _read(
        self,
        model: Model,
        caller: Caller,
        where: tuple[Any, ...],
        raw: Raw,
        plan: Callable[[Query], ReadPlan],
        key: Sequence[str] = (),
    ) -> tuple[bytes | None] | None:
        """The envelope of a query, by itself in a tuple; None for one that asks for no moment."""
        stored = (*where, raw) if isinstance(raw, str) and len(raw) <= LONGEST_CACHED_TEXT else None
        kept = self._kept.get(stored) if stored is not None else None
        asked, ready = kept or (None, None)
        if asked is None:
            members = self._reader.members(raw)
            when = _text(members)
            if when is None:
                return None
            asked = _Asked(plan(parse_query(members, self._reader.limits)), when)
        cut = await self._moments.cut(parse_moment(asked.when, MEMBER))
        for _ in range(ATTEMPTS):
            ready = await self._ready(model, asked, ready, cut, key)
            try:
                values = await self._reader.values(ready.statement, caller, key)
            except ActaError as error:
                if not isinstance(error.__cause__, _NOT_YET):
                    raise
                # What is known of the histories may be older than they are.
                self._moments.forget()
                continue
            if stored is not None:
                self._kept.put(stored, (asked, ready), EACH + len(ready.statement.text))
            return (envelope(ready.statement.shape, values),)
        raise ServiceUnavailable("history", "it is being made anew: the schema has changed")

    async def _ready(
        self,
        model: Model,
        asked: _Asked,
        ready: _Ready | None,
        cut: Cut,
        key: Sequence[str],
    ) -> _Ready:
        histories = await self._moments.histories(cut.position)
        if ready is not None and ready.position == cut.position and ready.histories is histories:
            return ready
        past = await self._past(model, asked.plan, cut, histories, join_key(key) if key else None)
        statement = self._reader.compiled([replace(asked.plan, past=past)], model.version)
        return _Ready(cut.position, histories, statement)

    async def _past(
        self, model: Model, plan: ReadPlan, cut: Cut, histories: Mapping[str, int], key: str | None = None
    ) -> Past:
        known = {(entry.schema, entry.table): entry.name for entry in comparable(model)}
        found = sorted(set(places(plan)))
        root = plan.page.row.number if key is not None else -1
        whole = [
            known[schema, table]
            for number, schema, table in found
            if number != root and (schema, table) in known and known[schema, table] not in histories
        ]
        if whole:
            await self._require_small(whole)
        tables = tuple(
            PastTable(schema, table, known[schema, table], histories.get(known[schema, table], 0))
            for schema, table in dict.fromkeys((schema, table) for _, schema, table in found)
            if (schema, table) in known
        )
        return Past(
            Value(str(cut.position)),
            Value(str(cut.upto)),
            Value(cut.later),
            tables,
            root,
            None if key is None else Value(key),
        )

    async def _require_small(self, collections: Sequence[str]) -> None:
        values = {"collections": list(dict.fromkeys(collections)), "most": self._fold_limit}
        async with self._database.connection() as connection:
            row = await (await connection.execute(SQL["sizes"], values)).fetchone()
        if row is not None:
            raise InvalidQuery(
                f'"{row[0]}" has more than {self._fold_limit} events and no history: '
                "add it to HISTORY_COLLECTIONS to read it as of a moment"
            )


def moment_of(members: Mapping[str, Any]) -> When | None:
    """The moment that a query asks for.

    Raises:
        InvalidQuery: for a text that is none.
    """
    text = _text(members)
    return None if text is None else parse_moment(text, MEMBER)


def _text(members: Mapping[str, Any]) -> str | None:
    given = members.get(MEMBER)
    if given is None:
        return None
    if not isinstance(given, str) and (isinstance(given, bool) or not isinstance(given, int)):
        raise InvalidQuery(f'"{MEMBER}" must be a moment')
    return str(given)


def parse_moment(text: str, member: str) -> When:
    """The moment that a member of a query names.

    Raises:
        InvalidQuery: for a text that is none.
    """
    try:
        return parse_when(text, member)
    except InvalidPayload as error:
        raise InvalidQuery(str(error.extensions["reason"])) from None
