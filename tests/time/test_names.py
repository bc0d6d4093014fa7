"""Columns are called whatever their owner likes: also as our statements call their own things."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
from psycopg import sql

from domain.access.caller import Caller
from domain.access.command import Command
from domain.access.rights import ADMINISTRATOR
from projections.reading.past import PastReader
from projections.time.beside import into_schema
from tests.support.project import Project
from tests.support.server import acta
from tests.time.test_in_place import back
from tests.time.test_into import cut, quiet
from tests.time.test_undo import undo

STATEMENTS = Path(__file__).parents[2] / "projections"
ALIAS = re.compile(r'(?i)\bas (?:materialized )?"?([a-z_]\w*)\b|\b(\w+) as (?:materialized )?\(')
OWN = ("t0", "v", "n", "k0", "c0", "p0", "row_old", "row_new", "fields", "jump", "meta", "payload", "item")


ODD = ("price (EUR)", "f()", "a.b", "x,y", "#n", "q w", "-z", "%", "$NOW")
"""What queries could take for something else."""


def words() -> list[str]:
    """All that any statement calls anything, however it is written."""
    texts = [path.read_text() for kind in ("sql", "py") for path in STATEMENTS.rglob(f"*.{kind}")]
    found = {word for text in texts for pair in ALIAS.findall(text) for word in pair if word}
    return sorted({word.lower() for word in found | {*OWN}} - {"id", "parent"})


async def tables(project: Project, columns: list[str]) -> None:
    listed = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in columns)
    await project.sql(sql.SQL("create table t (id serial primary key, {})").format(listed))
    await project.sql(
        sql.SQL(
            "create table r (id serial primary key, parent int references t on delete cascade, t int, {})"
        ).format(
            sql.SQL(", ").join(sql.SQL("{} int").format(sql.Identifier(name)) for name in ("r", "s", "v"))
        )
    )
    await project.sql("insert into t select from generate_series(1, 4)")
    for name in columns:
        await project.sql(
            sql.SQL("update t set {0} = {1} || id").format(sql.Identifier(name), sql.Literal(name))
        )
    await project.sql(
        "insert into r (parent, t, r, s, v) select n, 10 + n, 20 + n, n, n from generate_series(1, 4) n"
    )


async def read(project: Project, **query: Any) -> Any:
    reader = PastReader(project.database, project.reader, 20_000) if "as_of" in query else project.reader
    found = await reader.list(project.store.current, ADMINISTRATOR, Caller(), "t", {"sort": ["id"], **query})
    return orjson.loads(found)["data"]


async def test_any_name_will_do(project: Project) -> None:
    columns = [*words(), *ODD]
    assert {"t", "r", "live", "told", "made", "state"} <= {*columns}
    await tables(project, columns)
    done = acta(project.url, "adopt")
    assert done.returncode == 0, done.stderr
    assert await project.differences() == []
    then, before = await project.now(), await project.everything()
    shown = await read(project)
    assert [{**row, "id": 1} for row in shown[:1]] == [{"id": 1, **{name: f"{name}1" for name in columns}}]

    for name in ("price (EUR)", "f()", "#n", "q w", "%"):
        found = await read(
            project, filter={name: {"_eq": f"{name}2"}}, fields=["id", name], sort=[f"-{name}"]
        )
        assert found == [{"id": 2, name: f"{name}2"}]
    assert await read(project, aggregate={"max": ["price (EUR)"]}, sort=[]) == [
        {"max": {"price (EUR)": "price (EUR)4"}}
    ]

    await project.create("t", {name: f"{name}!" for name in columns}, {"t": "x"})
    await project.update("t", 1, {name: f"{name}?" for name in columns})
    model = project.store.current
    command = Command.internal()
    await project.writer.update(command, model, "t", ["2", "3"], {"t": "many", "r": "many"})
    each = [{"id": 2, "t": "each"}, {"id": 3, "r": "other", "state": "x"}]
    await project.writer.update_each(Command.internal(), model, "t", each)
    deleted = Command.internal()
    await project.delete("t", 4, command=deleted)
    assert await project.sql("select count(*) from r") == [(3,)]
    assert await project.differences() == []
    assert await read(project, as_of=str(then)) == shown

    await undo(project, deleted)
    await undo(project, command, skip=True)
    assert await project.differences() == []
    await project.sql("update t set t = 'psql', live = 'psql' where id = 1")
    await project.sql("delete from r where id = 2")
    told = acta(project.url, "reconcile")
    assert (told.returncode, told.stdout) == (0, "r: 1\nt: 1\n")
    assert await project.differences() == []

    assert await into_schema(project.database, await cut(project, then), "past", ("public",), quiet) == 2
    whole = "select to_jsonb(odd_name) from {} as odd_name order by odd_name.id"
    rows = [row for (row,) in await project.sql(whole.format("past.t").encode())]
    assert rows == before["t"]
    await project.sql("drop schema past cascade")
    await back(project, then)
    assert [row for (row,) in await project.sql(whole.format("t").encode())] == before["t"]
    assert await project.differences() == []
