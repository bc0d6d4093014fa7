"""What PostgreSQL is sent for the main shapes of writes, row and event in one statement each."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.access.command import Command
from domain.access.rights import Rule
from domain.query.limits import QueryLimits
from projections.tables.writing.conditions import condition_of
from projections.tables.writing.statements import Mixed
from projections.tables.writing.tables import Table, Tables
from tests.support.press import press
from tests.support.writing import limited

SNAPSHOTS = Path(__file__).parent / "snapshots"
COMMAND = Command.internal()
RULE = Rule(None, {"author": {"name": {"_eq": "me"}}})


def echo(table: Table, *, new: bool) -> bytes:
    found = table.echo(COMMAND, "fields=*,author.name,comments.body", QueryLimits(), new=new)
    assert found is not None
    return (
        table.statements.create_one(("title", "author"), found)
        if new
        else table.statements.update_one(("title",), None, found)
    )


def under_a_rule(table: Table) -> bytes:
    command = Command(COMMAND.caller, limited(("articles", "update", RULE)), COMMAND.request)
    condition = condition_of(table.shape, command, [[RULE]])
    assert condition is not None
    return table.statements.update_one(("title",), condition)


SHAPES: dict[str, Callable[[Table], bytes]] = {
    "create": lambda table: table.statements.create_one(("title", "author")),
    "create_answered": lambda table: echo(table, new=True),
    "create_many": lambda table: table.statements.create_many(
        Mixed(("author", "title"), frozenset({"author"})), "with_one_meta"
    ),
    "update": lambda table: table.statements.update_one(("title", "status")),
    "update_answered": lambda table: echo(table, new=False),
    "update_permitted": under_a_rule,
    "update_many": lambda table: table.statements.update_many(Mixed(("title",)), "with_metas"),
    "delete": lambda table: table.statements.delete_one(),
    "delete_many": lambda table: table.statements.delete_many("with_one_meta"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_text(shape: str) -> None:
    """ACTA_UPDATE_SNAPSHOTS=1 rewrites the files: read them before keeping them."""
    text = SHAPES[shape](Tables().of(press().model(), "articles")).decode() + "\n"
    file = SNAPSHOTS / f"{shape}.sql"
    if os.environ.get("ACTA_UPDATE_SNAPSHOTS"):
        file.write_text(text)
    assert text == file.read_text()
    # One statement, which changes rows of one table and the log.
    assert text.count("acta.events") == 1
