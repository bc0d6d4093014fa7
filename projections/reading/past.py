"""Reads as of a moment: the same plans on other rows, under present rights, in the present model."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import psycopg

from domain.access.caller import Caller
from domain.access.rights import Rights
from domain.errors import ActaError, InvalidPayload, InvalidQuery, ServiceUnavailable
from domain.log.moments import When, parse_when
from domain.model import Model, join_key
from domain.query.operands import Value
from domain.query.parse import parse_query
from domain.query.past import Past, PastTable, places
from domain.query.plan import ReadPlan
from domain.query.planner import key_parts, plan_item, plan_keys, plan_list, plan_singleton
from domain.query.query import Query
from projections.database import Connection, Database
from projections.log.rebuild import comparable
from projections.reading.reader import EMPTY_LIST, Raw, Reader
from projections.reading.statement import envelope
from projections.sql import load
from projections.time.moments import Cut, resolve, settle

SQL: Final = load("time/history")
MEMBER: Final = "as_of"
WAIT_SECONDS: Final = 0.1
WAITS: Final = 50
_NOT_YET: Final = (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable)


def names_past(raw: str | Container[str]) -> bool:
    """Whether a query may ask for a moment; cheap, since every read asks."""
    return MEMBER in raw


class PastReader:
    """Answers queries with a member ``as_of``; those of a text that has none are the reader's."""

    def __init__(self, database: Database, reader: Reader, fold_limit: int) -> None:
        self._database = database
        self._reader = reader
        self._fold_limit = fold_limit

    async def list(self, model: Model, rights: Rights, caller: Caller, collection: str, raw: Raw) -> bytes:
        """The list envelope."""
        query, when = self._asked(raw)
        if when is None:
            return await self._reader.list(model, rights, caller, collection, raw)
        plan = plan_list(model, rights, caller, collection, query, self._reader.limits)
        return await self._answer(model, caller, plan, when) or EMPTY_LIST

    async def by_keys(
        self, model: Model, rights: Rights, caller: Caller, collection: str, keys: Sequence[str], raw: Raw
    ) -> bytes:
        """The list envelope of the items of these keys that were there."""
        query, when = self._asked(raw)
        if when is None or not keys:
            return await self._reader.by_keys(model, rights, caller, collection, keys, raw)
        plan = plan_keys(model, rights, caller, collection, keys, query, self._reader.limits)
        return await self._answer(model, caller, plan, when) or EMPTY_LIST

    async def item(
        self, model: Model, rights: Rights, caller: Caller, collection: str, key: str, raw: Raw
    ) -> bytes | None:
        """The item envelope; None when there was no such item, or none that the caller may see."""
        query, when = self._asked(raw)
        if when is None:
            return await self._reader.item(model, rights, caller, collection, key, raw)
        plan = plan_item(model, rights, caller, collection, query, self._reader.limits)
        return await self._answer(model, caller, plan, when, key_parts(model.collections[collection], key))

    async def singleton(
        self, model: Model, rights: Rights, caller: Caller, collection: str, raw: Raw
    ) -> bytes:
        """The item envelope of a singleton."""
        query, when = self._asked(raw)
        if when is None:
            return await self._reader.singleton(model, rights, caller, collection, raw)
        plan = plan_singleton(model, rights, caller, collection, query, self._reader.limits)
        return await self._answer(model, caller, plan, when) or b'{"data":{}}'

    async def at(self, model: Model, plan: ReadPlan, when: When) -> ReadPlan:
        """A plan on the rows of a moment.

        Raises:
            InvalidQuery: for a moment that the log does not have.
        """
        return replace(plan, past=await self._past(model, plan, await self._cut(when)))

    def _asked(self, raw: Raw) -> tuple[Query, When | None]:
        members = self._reader.members(raw)
        return parse_query(members, self._reader.limits), moment_of(members)

    async def _answer(
        self, model: Model, caller: Caller, plan: ReadPlan, when: When, key: Sequence[str] = ()
    ) -> bytes | None:
        cut = await self._cut(when)
        past = await self._past(model, plan, cut, join_key(key) if key else None)
        statement = self._reader.compiled([replace(plan, past=past)], model.version)
        try:
            values = await self._reader.values(statement, caller, key)
        except ActaError as error:
            if isinstance(error.__cause__, _NOT_YET):
                raise ServiceUnavailable(
                    "history", "it is being made anew: the schema has changed"
                ) from error
            raise
        return envelope(statement.shape, values)

    async def _cut(self, when: When) -> Cut:
        try:
            async with self._database.connection() as connection:
                return await resolve(connection, when)
        except InvalidPayload as refused:
            reason = str(refused.extensions["reason"])
        # A moment ago is not sealed yet; whoever names his own request may mean that one.
        await settle(self._database)
        try:
            async with self._database.connection() as connection:
                return await resolve(connection, when)
        except InvalidPayload:
            raise InvalidQuery(reason) from None

    async def _past(self, model: Model, plan: ReadPlan, cut: Cut, key: str | None = None) -> Past:
        known = {(entry.schema, entry.table): entry.name for entry in comparable(model)}
        found = sorted(set(places(plan)))
        root = plan.page.row.number if key is not None else -1
        async with self._database.connection() as connection:
            histories = await self._histories(connection, cut.position)
            whole = [
                known[schema, table]
                for number, schema, table in found
                if number != root and (schema, table) in known and known[schema, table] not in histories
            ]
            await self._require_small(connection, whole)
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

    async def _histories(self, connection: Connection, position: int) -> Mapping[str, int]:
        """The histories that have come to a position; waits for them for a while."""
        rows = await (await connection.execute(SQL["histories"])).fetchall()
        if not rows:
            return {}
        for _ in range(WAITS):
            row = await (await connection.execute(SQL["reached"])).fetchone()
            if row is not None and row[0] >= position:
                return dict(rows)
            await asyncio.sleep(WAIT_SECONDS)
        raise ServiceUnavailable("history", "it has not come to that moment yet: no worker keeps it")

    async def _require_small(self, connection: Connection, collections: Sequence[str]) -> None:
        values = {"collections": list(dict.fromkeys(collections)), "most": self._fold_limit}
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
    given = members.get(MEMBER)
    if given is None:
        return None
    if not isinstance(given, str) and (isinstance(given, bool) or not isinstance(given, int)):
        raise InvalidQuery(f'"{MEMBER}" must be a moment')
    return parse_moment(str(given), MEMBER)


def parse_moment(text: str, member: str) -> When:
    """The moment that a member of a query names.

    Raises:
        InvalidQuery: for a text that is none.
    """
    try:
        return parse_when(text, member)
    except InvalidPayload as error:
        raise InvalidQuery(str(error.extensions["reason"])) from None
