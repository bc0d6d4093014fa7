"""The reader: requests to bytes, through a cache of compiled plans.

A plan is cached under everything that it depends on: model version, rights, collection, kind of read, and the
text of the query. What differs between callers of equal rights is bound when the statement runs.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

import orjson
import psycopg

from domain.access.caller import Caller
from domain.access.rights import Action, Rights
from domain.lru import Lru
from domain.model import Model
from domain.query.limits import QueryLimits
from domain.query.parse import parse_query
from domain.query.plan import ReadPlan
from domain.query.planner import (
    key_parts,
    plan_item,
    plan_keys,
    plan_list,
    plan_singleton,
    with_version,
)
from domain.query.query import Query
from domain.query.text import parse_text
from projections.database import Connection, Database
from projections.reading.channel import fetch, fetch_whole_rows
from projections.reading.compiler import compile_plan
from projections.reading.departed import departed
from projections.reading.exporting import copy_csv, flat_columns, stream
from projections.reading.refusals import refusal
from projections.reading.shapes import EACH, Shapes
from projections.reading.statement import Bound, Statement, envelope

_Part = TypeVar("_Part")

Raw = str | Mapping[str, Any]
Rows = list[dict[str, Any]]
Batch = list[bytes]
Versioned = tuple[bytes | None, str | None]
"""An envelope, and the version of the item in it where it has one."""
EMPTY_LIST = b'{"data":[]}'
CACHED_PLANS = 32_000_000
"""Characters of the statements of all cached plans, with what each counts beside."""
LONGEST_CACHED_TEXT = 4000


class Reader:
    """Reads items of any collection as JSON bytes; one statement per call."""

    def __init__(self, database: Database, limits: QueryLimits) -> None:
        self._database = database
        self._limits = limits
        self._plans: Lru[tuple[Any, ...], Statement] = Lru(CACHED_PLANS)
        self._shapes = Shapes()

    @property
    def limits(self) -> QueryLimits:
        """What queries are held to."""
        return self._limits

    async def list(
        self,
        model: Model,
        rights: Rights,
        caller: Caller,
        collection: str,
        raw: Raw = "",
        *,
        connection: Connection | None = None,
    ) -> bytes:
        """The list envelope."""

        def plan(query: Query) -> ReadPlan:
            return plan_list(model, rights, caller, collection, query, self._limits)

        statement = self._statement(place(model, rights, caller, collection, "list"), raw, model, plan)
        return await self._run(statement, caller, connection) or EMPTY_LIST

    async def item(
        self,
        model: Model,
        rights: Rights,
        caller: Caller,
        collection: str,
        key: str,
        raw: Raw = "",
        *,
        connection: Connection | None = None,
    ) -> bytes | None:
        """The item envelope, None when there is no such item that the caller can see."""

        def plan(query: Query) -> ReadPlan:
            return plan_item(model, rights, caller, collection, query, self._limits)

        statement = self._statement(place(model, rights, caller, collection, "item"), raw, model, plan)
        parts = key_parts(model.collections[collection], key)
        return await self._run(statement, caller, connection, parts)

    async def item_version(
        self, model: Model, rights: Rights, caller: Caller, collection: str, key: str, raw: Raw = ""
    ) -> Versioned:
        """As :meth:`item`, with the item's version."""

        def plan(query: Query) -> ReadPlan:
            return with_version(model, plan_item(model, rights, caller, collection, query, self._limits))

        statement = self._statement(place(model, rights, caller, collection, "versioned"), raw, model, plan)
        parts = key_parts(model.collections[collection], key)
        return await self._run_versioned(statement, caller, None, parts)

    async def by_keys(
        self,
        model: Model,
        rights: Rights,
        caller: Caller,
        collection: str,
        keys: Sequence[str],
        raw: Raw = "",
        *,
        connection: Connection | None = None,
    ) -> bytes:
        """The list envelope of those of the keys that are there and visible."""
        if not keys:
            return EMPTY_LIST

        def plan(query: Query) -> ReadPlan:
            return plan_keys(model, rights, caller, collection, keys, query, self._limits)

        statement = self._shapes.statement(plan(self.query(raw)), model.version)
        return await self._run(statement, caller, connection) or EMPTY_LIST

    async def reached(
        self,
        model: Model,
        rights: Rights,
        caller: Caller,
        collection: str,
        keys: Sequence[str],
        action: Action,
        *,
        connection: Connection | None = None,
    ) -> Rows:
        """The keys, each as an item of its columns, of those of some items with which the caller may do
        ``action``."""
        rights = rights.finding(collection, action)
        found = model.collections.get(collection)
        if found is None or not rights.may(collection, "read"):
            return []
        query = {"fields": list(found.primary_key)}
        answer = await self.by_keys(model, rights, caller, collection, keys, query, connection=connection)
        rows: Rows = orjson.loads(answer)["data"]
        return rows

    async def reaches(
        self, model: Model, rights: Rights, caller: Caller, collection: str, key: str, action: Action
    ) -> bool:
        """Whether the caller may do ``action`` with an item; one that is not there can't be reached."""
        return bool(await self.reached(model, rights, caller, collection, [key], action))

    async def departed(
        self,
        model: Model,
        rights: Rights,
        caller: Caller,
        collection: str,
        states: Sequence[Mapping[str, Any]],
        raw: Raw = "",
    ) -> bytes:
        """The list envelope of items that are gone, made of their last states, as far as the caller might
        have seen them."""
        if not states:
            return EMPTY_LIST
        plan = plan_list(model, rights, caller, collection, self.query(raw), self._limits)
        return await self._run(departed(plan, states, model.version), caller, None) or EMPTY_LIST

    async def singleton(
        self,
        model: Model,
        rights: Rights,
        caller: Caller,
        collection: str,
        raw: Raw = "",
        *,
        connection: Connection | None = None,
    ) -> bytes:
        """The item envelope of a singleton; without a visible row it holds the columns' defaults."""

        def plan(query: Query) -> ReadPlan:
            return plan_singleton(model, rights, caller, collection, query, self._limits)

        statement = self._statement(place(model, rights, caller, collection, "singleton"), raw, model, plan)
        return await self._run(statement, caller, connection) or b'{"data":{}}'

    async def singleton_version(
        self, model: Model, rights: Rights, caller: Caller, collection: str, raw: Raw = ""
    ) -> Versioned:
        """As :meth:`singleton`, with the version of its row."""

        def plan(query: Query) -> ReadPlan:
            return with_version(model, plan_singleton(model, rights, caller, collection, query, self._limits))

        where = place(model, rights, caller, collection, "versioned singleton")
        body, version = await self._run_versioned(self._statement(where, raw, model, plan), caller, None)
        return body or b'{"data":{}}', version

    async def rows(
        self,
        model: Model,
        rights: Rights,
        caller: Caller,
        collection: str,
        raw: Raw = "",
        *,
        connection: Connection | None = None,
    ) -> Rows:
        """The items as Python values, for our own use."""
        answer = await self.list(model, rights, caller, collection, raw, connection=connection)
        rows: Rows = orjson.loads(answer)["data"]
        return rows

    def stream(
        self, model: Model, rights: Rights, caller: Caller, collection: str, raw: Raw = ""
    ) -> AsyncGenerator[Batch]:
        """The items of a list in batches of their JSON; memory is bounded by the batch."""
        plan = plan_list(model, rights, caller, collection, self.query(raw), self._limits)
        statement = compile_plan(plan, model.version, streamed=True)
        return _translated(stream(self._database, statement, caller, self._limits.timeout))

    def compiled(self, plans: Sequence[ReadPlan], version: int) -> Statement:
        """The one statement that answers plans: the rows of a single one, else a column each."""
        if len(plans) == 1:
            return self._shapes.statement(plans[0], version)
        return self._shapes.several(tuple(plans), version)

    async def values(
        self,
        statement: Statement,
        caller: Caller,
        key: Sequence[str] = (),
        *,
        connection: Connection | None = None,
    ) -> Sequence[bytes | None]:
        """What a statement of `compiled` finds: rows of a single plan, or one row's columns."""
        if statement.shape != "whole":
            return await self._fetched(statement, caller, connection, key, fetch)
        return (await self._fetched(statement, caller, connection, key, fetch_whole_rows))[0]

    def csv(
        self, model: Model, rights: Rights, caller: Caller, collection: str, raw: Raw = ""
    ) -> tuple[Sequence[str], AsyncGenerator[bytes]] | None:
        """Columns and lines of a list as PostgreSQL writes them as CSV; None unless all values are plain."""
        plan = plan_list(model, rights, caller, collection, self.query(raw), self._limits)
        columns = flat_columns(plan)
        if columns is None:
            return None
        lines = copy_csv(self._database, plan, columns, caller, self._limits.timeout)
        return [output for output, _ in columns], _translated(lines)

    def rows_asked(self, raw: Raw) -> int:
        """The number of rows that a list may answer with, -1 for all."""
        return self._limits.rows(self.query(raw).root.limit)

    def members(self, raw: Raw) -> Mapping[str, Any]:
        """The members of a query, as they were sent."""
        if isinstance(raw, str):
            return parse_text(raw, brackets=self._limits.brackets, elements=self._limits.elements)
        return raw

    def query(self, raw: Raw) -> Query:
        """A query as data. Raises InvalidQuery."""
        return parse_query(self.members(raw), self._limits)

    def _statement(
        self, place: tuple[Any, ...], raw: Raw, model: Model, plan: Callable[[Query], ReadPlan]
    ) -> Statement:
        """The statement of a request, from the cache where its query is text."""
        if not isinstance(raw, str) or len(raw) > LONGEST_CACHED_TEXT:
            return self._shapes.statement(plan(self.query(raw)), model.version)
        key = (*place, raw)
        statement = self._plans.get(key)
        if statement is None:
            statement = self._shapes.statement(plan(self.query(raw)), model.version)
            self._plans.put(key, statement, EACH + len(raw) + len(statement.text))
        return statement

    async def _run(
        self, statement: Statement, caller: Caller, connection: Connection | None, key: Sequence[str] = ()
    ) -> bytes | None:
        values = await self._fetched(statement, caller, connection, key, fetch)
        return envelope(statement.shape, values)

    async def _run_versioned(
        self, statement: Statement, caller: Caller, connection: Connection | None, key: Sequence[str] = ()
    ) -> Versioned:
        rows = await self._fetched(statement, caller, connection, key, fetch_whole_rows)
        version = rows[0][1] if rows and len(rows[0]) > 1 else None
        return envelope(statement.shape, [row[0] for row in rows]), version.decode() if version else None

    async def _fetched(
        self,
        statement: Statement,
        caller: Caller,
        connection: Connection | None,
        key: Sequence[str],
        ask: Callable[[Connection, Statement, Sequence[Bound], float], Awaitable[_Part]],
    ) -> _Part:
        parameters = statement.parameters(caller, key)
        try:
            if connection is not None:
                return await ask(connection, statement, parameters, self._limits.timeout)
            async with self._database.connection() as own:
                return await ask(own, statement, parameters, self._limits.timeout)
        except psycopg.Error as error:
            raise refusal(error) from error


def place(model: Model, rights: Rights, caller: Caller, collection: str, kind: str) -> tuple[Any, ...]:
    """What a kept plan holds for. Without user or role, variables that stand for them are planned as null."""
    return model.version, rights.key, caller.user is None, caller.role is None, collection, kind


async def _translated(parts: AsyncGenerator[_Part]) -> AsyncGenerator[_Part]:
    try:
        async with aclosing(parts):
            async for part in parts:
                yield part
    except psycopg.Error as error:
        raise refusal(error) from error
