"""DDL that makes a table or column again from its definition in the log.

Types, expressions and constraint texts are those the catalog itself wrote, every name in them qualified; a
definition never holds anything a client sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import sql

from projections.schema.definitions import Definition
from projections.schema.work import Work

_COMMENT = sql.SQL("COMMENT ON {} {} IS {}")


def _plain(text: str) -> sql.SQL:
    """A piece of SQL that the catalog wrote."""
    return sql.SQL(text)


async def make_table(work: Work, table: Definition) -> None:
    """The bare table: columns, defaults, sequences; no constraints, so that rows can come in any order."""
    place = sql.Identifier(table["schema"], table["table"])
    for column in table["columns"]:
        await _make_sequence(work, column)
    clauses = sql.SQL(", ").join(column_clause(column) for column in table["columns"])
    await work.run(
        sql.SQL("CREATE {} TABLE {} ({}) {} {}").format(
            sql.SQL("UNLOGGED" if table["unlogged"] else ""),
            place,
            clauses,
            _plain(f"PARTITION BY {table['partitioning']}" if table["partitioning"] else ""),
            _plain(f"WITH ({', '.join(table['options'])})" if table["options"] else ""),
        )
    )
    for child in (table["children"] or ()) if table["partitioning"] else ():
        await work.run(
            sql.SQL("CREATE TABLE {} PARTITION OF {} {}").format(
                sql.Identifier(child["schema"], child["table"]), place, _plain(child["bound"])
            )
        )
    for column in table["columns"]:
        await _own_sequence(work, table, column)
        await _comment_column(work, table, column)
    if table["comment"]:
        await work.run(_COMMENT.format(sql.SQL("TABLE"), place, sql.Literal(table["comment"])))


async def finish_table(work: Work, table: Definition) -> None:
    """Constraints, indexes and triggers, once the rows are there; sequences go on where they were."""
    place = sql.Identifier(table["schema"], table["table"])
    await make_constraints(work, table, table["constraints"])
    for index in table["indexes"]:
        await work.run(make_index(index))
    for trigger in table["triggers"]:
        await work.run(sql.Composed([_plain(trigger)]))
    for column in table["columns"]:
        sequence = column["sequence"]
        if sequence and column["identity"] and sequence["position"] is not None:
            await work.run(
                sql.SQL("ALTER TABLE {} ALTER COLUMN {} RESTART WITH {}").format(
                    place,
                    sql.Identifier(column["name"]),
                    sql.Literal(sequence["position"] + sequence["increment"]),
                )
            )


async def make_column(work: Work, column: Definition) -> None:
    """A column of a table that is there, not required yet and without constraints."""
    definition = column["column"]
    place = sql.Identifier(column["schema"], column["table"])
    await _make_sequence(work, definition)
    clause = column_clause({**definition, "required": False})
    await work.run(sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(place, clause))
    await _own_sequence(work, column, definition)
    await _comment_column(work, column, definition)


async def finish_column(work: Work, column: Definition) -> None:
    """What the column requires, its constraints and indexes, once the values are there."""
    place = sql.Identifier(column["schema"], column["table"])
    if column["column"]["required"]:
        await work.run(
            sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL").format(
                place, sql.Identifier(column["column"]["name"])
            )
        )
    await make_constraints(work, column, column["constraints"])
    for index in column["indexes"]:
        await work.run(make_index(index))


def make_index(index: Mapping[str, Any]) -> sql.Composed:
    """An index by its text."""
    return sql.Composed([_plain(index["definition"])])


async def make_constraints(work: Work, table: Definition, constraints: list[Mapping[str, Any]]) -> None:
    """Constraints by their texts; foreign keys come last in a definition."""
    place = sql.Identifier(table["schema"], table["table"])
    for constraint in constraints:
        await work.run(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                place, sql.Identifier(constraint["name"]), _plain(constraint["definition"])
            )
        )


def column_clause(column: Mapping[str, Any]) -> sql.Composed:
    """A column as in CREATE TABLE."""
    parts: list[sql.Composable] = [sql.Identifier(column["name"]), _plain(column["type"])]
    if column["collation"]:
        parts += [sql.SQL("COLLATE"), _plain(column["collation"])]
    if column["generated"]:
        parts.append(sql.SQL("GENERATED ALWAYS AS ({}) STORED").format(_plain(column["generated"])))
    elif column["identity"]:
        kind = sql.SQL("ALWAYS" if column["identity"] == "a" else "BY DEFAULT")
        parts.append(sql.SQL("GENERATED {} AS IDENTITY {}").format(kind, _identity(column["sequence"])))
    elif column["default"]:
        parts += [sql.SQL("DEFAULT"), _plain(column["default"])]
    if column["required"]:
        parts.append(sql.SQL("NOT NULL"))
    return sql.SQL(" ").join(parts)


def alter_column(old: Definition, new: Definition) -> list[sql.Composed]:
    """What turns the column of the first definition into that of the second, but for its type."""
    before, after = old["column"], new["column"]
    head = sql.SQL("ALTER TABLE {} ALTER COLUMN {}").format(
        sql.Identifier(new["schema"], new["table"]), sql.Identifier(after["name"])
    )
    found: list[sql.Composed] = []
    if before["default"] != after["default"] and not after["generated"] and not after["identity"]:
        if after["default"] is None:
            found.append(sql.SQL("{} DROP DEFAULT").format(head))
        else:
            found.append(sql.SQL("{} SET DEFAULT {}").format(head, _plain(after["default"])))
    if before["required"] != after["required"]:
        found.append(sql.SQL("{} {} NOT NULL").format(head, sql.SQL("SET" if after["required"] else "DROP")))
    return found


def retype(column: Definition) -> sql.Composed:
    """The type of a definition, by an explicit cast."""
    return sql.SQL("ALTER TABLE {} ALTER COLUMN {} TYPE {} USING {}::{}").format(
        sql.Identifier(column["schema"], column["table"]),
        sql.Identifier(column["column"]["name"]),
        _plain(column["column"]["type"]),
        sql.Identifier(column["column"]["name"]),
        _plain(column["column"]["type"]),
    )


async def _make_sequence(work: Work, column: Mapping[str, Any]) -> None:
    sequence = column["sequence"]
    if sequence is None or column["identity"]:
        return
    name = sql.Identifier(sequence["schema"], sequence["name"])
    await work.run(
        sql.SQL("CREATE SEQUENCE {} AS {} {}").format(name, _plain(sequence["type"]), _options(sequence))
    )
    if sequence["position"] is not None:
        await work.run(
            sql.SQL("SELECT setval({}::regclass, {})").format(
                sql.Literal(name.as_string(None)), sql.Literal(sequence["position"])
            )
        )


async def _own_sequence(work: Work, table: Mapping[str, Any], column: Mapping[str, Any]) -> None:
    sequence = column["sequence"]
    if sequence is None or column["identity"]:
        return
    await work.run(
        sql.SQL("ALTER SEQUENCE {} OWNED BY {}").format(
            sql.Identifier(sequence["schema"], sequence["name"]),
            sql.Identifier(table["schema"], table["table"], column["name"]),
        )
    )


async def _comment_column(work: Work, table: Mapping[str, Any], column: Mapping[str, Any]) -> None:
    if column["comment"]:
        place = sql.Identifier(table["schema"], table["table"], column["name"])
        await work.run(_COMMENT.format(sql.SQL("COLUMN"), place, sql.Literal(column["comment"])))


def _identity(sequence: Mapping[str, Any] | None) -> sql.Composable:
    if sequence is None:
        return sql.SQL("")
    name = sql.Identifier(sequence["schema"], sequence["name"])
    return sql.SQL("(SEQUENCE NAME {} {})").format(name, _options(sequence))


def _options(sequence: Mapping[str, Any]) -> sql.Composed:
    return sql.SQL("INCREMENT BY {} MINVALUE {} MAXVALUE {} START WITH {} CACHE {} {}").format(
        *(sql.Literal(sequence[part]) for part in ("increment", "minimum", "maximum", "start", "cache")),
        sql.SQL("CYCLE" if sequence["cycle"] else "NO CYCLE"),
    )
