"""The structure of a database made again: types, functions and views as they are, tables from definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import psycopg
from psycopg import sql

from projections.database import Connection
from projections.schema import remake
from projections.schema.definitions import Definition
from projections.schema.work import Work
from projections.sql import load

SQL: Final = load("time/into")


@dataclass(slots=True)
class Leftovers:
    """What is no table: statements as the catalog wrote them."""

    before: Sequence[str]
    functions: Sequence[str]
    views: Sequence[str]
    failed: list[str] = field(default_factory=list)

    @classmethod
    async def of(cls, source: Connection) -> Leftovers:
        """Of a database as it is now."""
        before: list[str] = []
        # Outside pg_catalog every name is written in full.
        async with source.transaction():
            await source.execute("select set_config('search_path', 'pg_catalog', true)")
            for name in ("schemas", "extensions", "types"):
                before += [text for (text,) in await (await source.execute(SQL[name])).fetchall()]
            functions = [text for (text,) in await (await source.execute(SQL["functions"])).fetchall()]
            views = [text for (text,) in await (await source.execute(SQL["views"])).fetchall()]
        return cls(before, functions, views)

    async def make_before(self, target: Connection) -> None:
        """Schemas, extensions, types; and those functions that need no table."""
        await target.execute(SQL["lenient"])
        for statement in self.before:
            await target.execute(sql.SQL(statement))
        self.failed = await _attempt(target, self.functions)

    async def retry(self, target: Connection) -> None:
        """The functions that did."""
        self.failed = await _attempt(target, self.failed)

    async def make_after(self, target: Connection) -> list[str]:
        """Functions and views of tables that are there; gives what could not be made."""
        await target.execute(SQL["lenient"])
        return await _attempt(target, [*self.functions, *self.views])


async def _attempt(target: Connection, statements: Sequence[str]) -> list[str]:
    """Run what can be run, in as many rounds as it helps; gives the rest."""
    left = list(statements)
    while left:
        failed = []
        for statement in left:
            try:
                async with target.transaction():
                    await target.execute(sql.SQL(statement))
            except psycopg.Error:
                failed.append(statement)
        if len(failed) == len(left):
            break
        left = failed
    return left


async def make_tables(work: Work, tables: Sequence[Definition]) -> None:
    """Tables with keys, constraints and indexes, but without foreign keys and triggers."""
    for table in tables:
        await remake.make_table(work, table)
        await remake.make_constraints(
            work, table, [one for one in table["constraints"] if one["kind"] != "f"]
        )
        for index in table["indexes"]:
            await work.run(remake.make_index(index))


async def foreign(work: Work, tables: Sequence[Definition]) -> None:
    """The foreign keys, once all tables are there."""
    for table in tables:
        await remake.make_constraints(
            work, table, [one for one in table["constraints"] if one["kind"] == "f"]
        )
