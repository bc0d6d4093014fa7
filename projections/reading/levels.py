"""Levels of the answer as SQL: joins for to-one relations, one common table per to-many relation.

The form is set-based: the page of keys comes first, then each to-many relation is read once for all parents,
its rows numbered per parent, aggregated to one JSON array per parent, and joined back. Where a small limit
per parent is asked for, each parent's rows are read by a lateral query that stops at the limit instead.

Names of ours begin with ``#`` where they stand beside columns, so that no column can be hidden by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg import sql

from domain.query.plan import Constant, Join, Level, Node, Order, Record, Row, Scalar, ToAny, ToMany, ToOne
from projections.reading.compose import AND, Piece, listed, name, numbered, where, word
from projections.reading.expressions import Expressions, literal
from projections.reading.formats import formatted

KEY = name("#k")
NUMBER = name("acta n")
VALUE = name("#v")
LONGEST_NAME = 63
"""Bytes of the longest name that PostgreSQL knows."""


@dataclass
class Frame:
    """A FROM clause being written: the table that holds the level's rows, and what is joined to them.

    ``tables_joined`` tells that more than computed members is joined, so that the order of rows may be lost.
    """

    table: Piece
    joins: list[Piece] = field(default_factory=list)
    tables_joined: bool = False

    def left_join(self, table: Piece, condition: Piece) -> None:
        """Join a table whose rows may be missing."""
        self.joins.append(word(" LEFT JOIN ", table, " ON ", condition))
        self.tables_joined = True


class Levels:
    """Writes the levels of one statement; ``tables`` are its common tables, in order."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.tables: list[Piece] = []
        self._objects = 0

    # -- objects -------------------------------------------------------------------------------------------

    def object(self, level: Level, frame: Frame) -> Piece:
        """The JSON of one item; without members it is the bare key."""
        if not level.outputs:
            if level.blank:
                return word("'{}'::json")
            return (
                word("to_json(", formatted(self.expressions, level.bare), ")")
                if level.bare
                else word("'null'::json")
            )
        return self.record([(output, self._node(node, frame)) for output, node in level.outputs], frame)

    def record(self, members: Sequence[tuple[str, Piece]], frame: Frame) -> Piece:
        """The JSON of named members, which may use everything that the frame joins."""
        self._objects += 1
        alias = numbered("j", self._objects)
        if any(len(output.encode()) > LONGEST_NAME for output, _ in members):
            # PostgreSQL would cut the name of a column.
            rows = [
                word("(", literal(number), ", ", self.expressions.text(output), ", to_json(", value, "))")
                for number, (output, value) in enumerate(members)
            ]
            query = word(
                "SELECT json_object_agg(m.k, m.v ORDER BY m.n) AS ", VALUE,
                " FROM (VALUES ", listed(rows), ") AS m(n, k, v)",
            )  # fmt: skip
            frame.joins.append(word(" CROSS JOIN LATERAL (", query, ") AS ", alias))
            return word(alias, ".", VALUE)
        columns = [word(value, " AS ", name(output)) for output, value in members]
        frame.joins.append(word(" CROSS JOIN LATERAL (SELECT ", listed(columns), ") AS ", alias))
        return word("row_to_json(", alias, ".*)")

    def _node(self, node: Node, frame: Frame) -> Piece:
        if isinstance(node, Scalar):
            return formatted(self.expressions, node)
        if isinstance(node, Constant):
            return self.constant(node)
        if isinstance(node, Record):
            return self.record([(output, self._node(inner, frame)) for output, inner in node.outputs], frame)
        if isinstance(node, ToOne):
            value = self._to_one(node, frame)
        elif isinstance(node, ToMany):
            value = self._to_many(node, frame)
        else:
            value = self._to_any(node, frame)
        if node.shown is None:
            return value
        return word("CASE WHEN ", self.expressions.predicate(node.shown), " THEN ", value, " END")

    def constant(self, node: Constant) -> Piece:
        """A fixed text."""
        return word("NULL::text") if node.text is None else self.expressions.text(node.text)

    def _to_one(self, node: ToOne, frame: Frame) -> Piece:
        expressions = self.expressions
        if has_many(node.level):
            place, slot = numbered("o", node.row.number), self._reserve()
            inner = Frame(word(place, " AS ", _alias(node.row)))
            link = expressions.link(node.link)
            frame.left_join(word(place, " AS ", _alias(node.row)), link)
            value = self.object(node.level, inner)
            columns = self.columns(node.row)
            parents = word("EXISTS (SELECT FROM ", frame.table, " WHERE ", link, ")")
            rows = where([parents, expressions.optional(node.visible)])
            self._fill(slot, place, word("SELECT ", columns, " FROM ", expressions.table(node.row), rows))
            frame.joins.extend(inner.joins)
        else:
            conditions = [expressions.link(node.link), expressions.optional(node.visible)]
            present = [condition for condition in conditions if condition is not None]
            frame.left_join(expressions.table(node.row), listed(present, AND))
            value = self.object(node.level, frame)
        there = expressions.expression(node.link.pairs[0][1])
        return word("CASE WHEN ", there, " IS NOT NULL THEN ", value, " END")

    def _to_any(self, node: ToAny, frame: Frame) -> Piece:
        cases: list[Piece] = []
        for collection, branch in node.branches:
            value = word("NULL::json") if branch is None else self._to_one(branch, frame)
            cases.append(word(" WHEN ", self.expressions.text(collection), " THEN ", value))
        raw = word("to_json(", formatted(self.expressions, node.raw), ")") if node.raw else word("NULL::json")
        if not cases:
            return raw
        which = self.expressions.expression(node.collection)
        return word("CASE ", which, listed(cases, word()), " ELSE ", raw, " END")

    # -- to many -------------------------------------------------------------------------------------------

    def _to_many(self, node: ToMany, frame: Frame) -> Piece:
        if node.limit == 0:
            return word("'[]'::json")
        expressions = self.expressions
        here, _ = node.link.pairs[0]
        aggregated, rows = numbered("a", node.row.number), numbered("s", node.row.number)
        nested = has_many(node.level)
        slot = self._reserve() if nested else None
        inner = Frame(word(rows, " AS ", _alias(node.row)))
        element = self.object(node.level, inner)
        alias = _alias(node.row)
        order = word(alias, ".", NUMBER)
        if node.nulls_last:
            order = word(expressions.expression(node.order[0].expression), " DESC NULLS LAST, ", order)
        columns = self.columns(node.row)
        source = self._each(node, frame, columns) if node.each else self._numbered(node, frame, columns)
        if slot is not None:
            self._fill(slot, rows, source)
            table = inner.table
        else:
            table = word("(", source, ") AS ", alias)
        key = word(alias, ".", KEY)
        query = word(
            "SELECT ", key, ", json_agg(", element, " ORDER BY ", order, ") AS ", VALUE,
            " FROM ", table, *inner.joins, " GROUP BY ", key,
        )  # fmt: skip
        self.tables.append(word(aggregated, " AS (", query, ")"))
        joined = word(aggregated, ".", KEY, " = ", expressions.expression(here))
        frame.left_join(aggregated, joined)
        return word("coalesce(", aggregated, ".", VALUE, ", '[]'::json)")

    def _numbered(self, node: ToMany, frame: Frame, columns: Piece) -> Piece:
        """All children of all parents at once, numbered per parent, those within the limit."""
        expressions = self.expressions
        there = expressions.expression(node.link.pairs[0][1])
        order = self.order(node.order)
        over = word("row_number() OVER (PARTITION BY ", there, order, ")")
        source = word(frame.table, " JOIN ", expressions.table(node.row), " ON ", expressions.link(node.link))
        condition = where([expressions.optional(node.where)])
        rows = word(
            "SELECT ", listed_columns([word(there, " AS ", KEY), word(over, " AS ", NUMBER)], columns),
            " FROM ", source, self.joins(node.joins), condition,
        )  # fmt: skip
        if node.limit < 0 and node.offset == 0:
            return rows
        bounds = []
        alias = _alias(node.row)
        if node.offset:
            bounds.append(word(alias, ".", NUMBER, " > ", literal(node.offset)))
        if node.limit >= 0:
            bounds.append(word(alias, ".", NUMBER, " <= ", literal(node.offset + node.limit)))
        return word("SELECT * FROM (", rows, ") AS ", alias, where(bounds))

    def _each(self, node: ToMany, frame: Frame, columns: Piece) -> Piece:
        """The children of each parent by themselves, no more than the limit."""
        expressions = self.expressions
        alias = _alias(node.row)
        here = expressions.expression(node.link.pairs[0][0])
        condition = where([expressions.link(node.link), expressions.optional(node.where)])
        order = self.order(node.order)
        rows = word(
            "SELECT ", columns, " FROM ", expressions.table(node.row), self.joins(node.joins),
            condition, order, window(node.limit, node.offset),
        )  # fmt: skip
        numbered_rows = word(
            "SELECT ", alias, ".*, row_number() OVER () AS ", NUMBER, " FROM (", rows, ") AS ", alias
        )
        return word(
            "SELECT ", here, " AS ", KEY, ", ", alias, ".* FROM ", frame.table,
            " CROSS JOIN LATERAL (", numbered_rows, ") AS ", alias,
        )  # fmt: skip

    # -- parts ---------------------------------------------------------------------------------------------

    def columns(self, row: Row) -> Piece:
        """The columns of a row that have been written so far, as a select list."""
        used = self.expressions.columns.get(row.number, {})
        return listed([word(_alias(row), ".", name(column)) for column in used])

    def joins(self, joins: Sequence[Join], *, inner: bool = False) -> Piece:
        """The rows that an order looks at, or (``inner``) those that a filter goes through."""
        parts: list[Piece] = []
        for join in joins:
            conditions = [self.expressions.link(join.link), self.expressions.optional(join.visible)]
            present = [condition for condition in conditions if condition is not None]
            kind = word(" JOIN " if inner else " LEFT JOIN ")
            parts.append(word(kind, self.expressions.table(join.row), " ON ", listed(present, AND)))
        return sql.Composed(parts)

    def order(self, order: Sequence[Order]) -> Piece:
        """An ORDER BY clause, empty without keys."""
        if not order:
            return word()
        keys = []
        for key in order:
            direction = word(" DESC") if key.descending else word()
            nulls = word(" NULLS LAST") if key.nulls_last else word()
            keys.append(word(self.expressions.expression(key.expression), direction, nulls))
        return word(" ORDER BY ", listed(keys))

    def _reserve(self) -> int:
        """A place among the common tables for one that can only be written after those that read it."""
        self.tables.append(word())
        return len(self.tables) - 1

    def _fill(self, slot: int, table: Piece, query: Piece) -> None:
        self.tables[slot] = word(table, " AS MATERIALIZED (", query, ")")


def has_many(level: Level) -> bool:
    """Whether a level, or one joined to it, has to-many relations."""
    return any(_is_many(node) for _, node in level.outputs)


def _is_many(node: Node | None) -> bool:
    if isinstance(node, ToOne):
        return has_many(node.level)
    if isinstance(node, ToAny):
        return any(_is_many(branch) for _, branch in node.branches)
    return isinstance(node, ToMany)


def window(limit: int, offset: int) -> Piece:
    """LIMIT and OFFSET; written, not bound, for PostgreSQL plans by them."""
    parts: list[Piece] = []
    if limit >= 0:
        parts.extend((word(" LIMIT "), literal(limit)))
    if offset:
        parts.extend((word(" OFFSET "), literal(offset)))
    return sql.Composed(parts)


def listed_columns(first: Sequence[Piece], columns: Piece) -> Piece:
    """Select list entries and then columns, of which there may be none."""
    parts = [*first]
    if isinstance(columns, sql.Composed) and list(columns):
        parts.append(columns)
    return listed(parts)


def _alias(row: Row) -> sql.Identifier:
    return numbered("t", row.number)
