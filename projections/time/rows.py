"""Rows by the text of their keys, and collections in the order of their references."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from domain.model import Collection, Model
from projections.tables.writing.naming import literal


def name(*parts: str) -> sql.Identifier:
    """An identifier inside a statement with parameters."""
    return sql.Identifier(*(part.replace("%", "%%") for part in parts))


def same_row(entry: Collection, item: sql.Composable) -> sql.Composable:
    """Whether ``"acta row"`` is the one with this text as key; by index where the key is one column."""
    columns = [entry.columns[column] for column in entry.primary_key]
    parts: list[sql.Composable] = []
    for place, column in enumerate(columns, 1):
        text = item
        if len(columns) > 1:
            text = sql.SQL("replace(replace(split_part({}, ',', {}), '%%2C', ','), '%%25', '%%')").format(
                item, sql.Literal(place)
            )
        parts.append(
            sql.SQL('"acta row".{} = {}::{}').format(name(column.name), text, sql.SQL(column.sql_type))
        )
    return sql.SQL(" and ").join(parts)


def key_of(entry: Collection) -> sql.Composable:
    """The text of the key of ``"acta row"``; the rules are those of `domain.model.keys`."""
    columns = [sql.SQL('"acta row".{}::text').format(name(column)) for column in entry.primary_key]
    if len(columns) == 1:
        return columns[0]
    texts = (literal("%%"), literal("%%25"), literal("%%2C"))
    parts = [sql.SQL("replace(replace({}, {}, {}), ',', {})").format(column, *texts) for column in columns]
    return sql.SQL("concat_ws(',', {})").format(sql.SQL(", ").join(parts))


def parents_first(model: Model, entries: Sequence[Collection]) -> list[Collection]:
    """Collections behind those they refer to, as far as there is no circle."""
    by_place = {(entry.schema, entry.table): entry for entry in entries}
    ordered: list[Collection] = []
    visiting: set[str] = set()

    def visit(entry: Collection) -> None:
        if entry.name in visiting:
            return
        visiting.add(entry.name)
        for column in entry.columns.values():
            if column.foreign_key is not None:
                parent = by_place.get((column.foreign_key.schema, column.foreign_key.table))
                if parent is not None:
                    visit(parent)
        for key in entry.composite_keys:
            parent = by_place.get((key.schema, key.table))
            if parent is not None:
                visit(parent)
        ordered.append(entry)

    for entry in entries:
        visit(entry)
    return ordered
