"""Plans to statements: exactly one statement per plan, whatever its depth."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from psycopg import sql

from domain.query.plan import (
    Aggregate,
    Constant,
    Counting,
    Expression,
    Groups,
    Level,
    Node,
    Page,
    ReadPlan,
    Record,
    Ref,
    Scalar,
)
from projections.reading.compose import COMMA, Piece, listed, name, numbered, where, word
from projections.reading.expressions import Expressions, literal
from projections.reading.formats import in_form
from projections.reading.levels import NUMBER, Frame, Levels, has_many, listed_columns, window
from projections.reading.statement import Shape, Statement, statement

CURSOR = name("#c")


def compile_plan(
    plan: ReadPlan, version: int, *, streamed: bool = False, expressions: Expressions | None = None
) -> Statement:
    """The statement of a plan. ``streamed`` answers keep one row per item, whatever else is asked for."""
    return _Compiler(plan, expressions).compile(version, streamed)


def compile_several(plans: Sequence[ReadPlan], version: int) -> Statement:
    """The statement of several plans: one row, in each column the JSON of one plan's items or item."""
    expressions = [Expressions() for _ in plans]
    operands = expressions[0].operands
    for other in expressions[1:]:
        other.operands = operands
    values = [_Compiler(plan, own).value() for plan, own in zip(plans, expressions, strict=True)]
    return statement(word("SELECT ", listed(values)).as_bytes(None), operands, version, "whole")


def compile_item(plan: ReadPlan, expressions: Expressions) -> Piece:
    """The query of one item's JSON, to stand inside another statement; operands are the caller's to bind."""
    return _Compiler(plan, expressions).query()


def compile_rows(plan: ReadPlan, members: Sequence[Piece], expressions: Expressions) -> Piece:
    """The query of a flat list's rows as columns; ``members`` are written with the same ``expressions``."""
    return _Compiler(plan, expressions).rows(members)


class _Compiler:
    def __init__(self, plan: ReadPlan, expressions: Expressions | None = None) -> None:
        self.plan = plan
        self.expressions = expressions or Expressions()
        self.expressions.past = plan.past
        self.levels = Levels(self.expressions)

    def compile(self, version: int, streamed: bool) -> Statement:
        if isinstance(self.plan.answer, Groups):
            element, source, order = self._groups(self.plan.answer)
        else:
            element, source, order = self._items(self.plan.answer)
        shape: Shape = "rows"
        if streamed or (self.plan.empty is None and not self.plan.meta and not self.plan.cursor):
            beside = word(", ", self._version()) if self.plan.version else word()
            query = word("SELECT ", element, beside, " FROM ", source, _ordered(order))
            shape = "item" if self.plan.single else "rows"
        else:
            shape, query = "whole", self._whole(element, source, order)
        if self.levels.tables:
            query = word("WITH ", listed(self.levels.tables), " ", query)
        return statement(query.as_bytes(None), self.expressions.operands, version, shape)

    def query(self) -> Piece:
        """The query of one item's JSON."""
        if isinstance(self.plan.answer, Groups):
            raise TypeError("groups are no item")
        element, source, _ = self._items(self.plan.answer)
        query = word("SELECT ", element, " FROM ", source)
        return word("WITH ", listed(self.levels.tables), " ", query) if self.levels.tables else query

    def value(self) -> Piece:
        """All of the answer as one value; NULL for an item that is not there."""
        element, source, order = (
            self._groups(self.plan.answer)
            if isinstance(self.plan.answer, Groups)
            else self._items(self.plan.answer)
        )
        text = word(element, "::text")
        if not self.plan.single:
            items = word("string_agg(coalesce(", text, ", 'null'), ','", _ordered(order), ")")
            text = word("'[' || coalesce(", items, ", '') || ']'")
        query = word("SELECT ", text, " FROM ", source)
        if self.levels.tables:
            query = word("WITH ", listed(self.levels.tables), " ", query)
        return word("(", query, ")")

    def rows(self, members: Sequence[Piece]) -> Piece:
        """The query of a list's rows as columns."""
        page = self._page(self.plan.page, numbered_rows=False)
        return word(
            "SELECT ", listed(members), " FROM (", page, ") AS ", numbered("t", self.plan.page.row.number)
        )

    def _whole(self, element: Piece, source: Piece, order: Piece | None) -> Piece:
        """The whole envelope as one value: for counts beside the items, and for items that may be missing."""
        text = word(element, "::text")
        if self.plan.single:
            missing = self.expressions.text(orjson.dumps(dict(self.plan.empty or ())).decode())
            if self.plan.version is None:
                found = word("(SELECT ", text, " FROM ", source, ")")
                return word(
                    "SELECT '{\"data\":' || coalesce(", found, ", ", missing, ")", self._meta(), " || '}'"
                )
            found = word("(SELECT ", text, " AS e, ", self._version(), " AS v FROM ", source, ") AS found")
            return word(
                "SELECT '{\"data\":' || coalesce(found.e, ", missing, ")", self._meta(), " || '}', found.v",
                " FROM (SELECT) AS one LEFT JOIN ", found, " ON true",
            )  # fmt: skip
        items = word("coalesce(string_agg(coalesce(", text, ", 'null'), ','", _ordered(order), "), '')")
        return word("SELECT '{\"data\":[' || ", items, " || ']'", self._meta(), " || '}' FROM ", source)

    def _version(self) -> Piece:
        assert self.plan.version is not None
        return word(self.expressions.expression(self.plan.version), "::text")

    def _items(self, level: Level) -> tuple[Piece, Piece, Piece | None]:
        """The JSON of an item, the FROM clause it is made of, and what to order by."""
        page, row = self.plan.page, self.plan.page.row
        if self.plan.version is not None:
            # The page carries the columns that expressions have asked for by then.
            self._version()
        alias, table = numbered("t", row.number), numbered("p", row.number)
        shared = has_many(level)
        slot = len(self.levels.tables)
        if shared:
            self.levels.tables.append(word())
        frame = Frame(word(table, " AS ", alias))
        element = self.levels.object(level, frame)
        # Joins may lose the order of the rows, and a common table has none to lose.
        ordered = bool(page.order) and (shared or frame.tables_joined or self.plan.cursor)
        rows = self._page(page, numbered_rows=ordered)
        if shared:
            self.levels.tables[slot] = word(table, " AS MATERIALIZED (", rows, ")")
            source = word(frame.table, *frame.joins)
        else:
            source = word("(", rows, ") AS ", alias, *frame.joins)
        return element, source, word(alias, ".", NUMBER) if ordered else None

    def _page(self, page: Page, *, numbered_rows: bool) -> Piece:
        columns = self.levels.columns(page.row)
        alias = numbered("t", page.row.number)
        joins, condition = self.levels.joins(page.joins), self._condition(page)
        order = self.levels.order(page.order)
        cursor = self._cursor_columns(page) if self.plan.cursor else []
        rows = word(
            "SELECT ", listed_columns(cursor, columns), " FROM ", self.expressions.table(page.row), joins,
            condition, order, window(page.limit, page.offset),
        )  # fmt: skip
        if not numbered_rows:
            return rows
        number = word("row_number() OVER () AS ", NUMBER)
        return word("SELECT ", number, ", ", alias, ".* FROM (", rows, ") AS ", alias)

    def _cursor_columns(self, page: Page) -> list[Piece]:
        keys = [word("(", self.expressions.expression(key.expression), ")::text") for key in page.order]
        return [word("json_build_array(", listed(keys), ")::text AS ", CURSOR)]

    def _cursor(self) -> Piece:
        """The cursor behind the last item of a full page, null when the list has come to its end."""
        page, alias = self.plan.page, numbered("t", self.plan.page.row.number)
        by_number = word(" ORDER BY ", alias, ".", NUMBER, " DESC")
        last = word("(array_agg(", alias, ".", CURSOR, by_number, "))[1]")
        encoded = word("translate(encode(convert_to(", last, ", 'UTF8'), 'base64'), E'+/=\\n', '-_')")
        full = word("CASE WHEN count(*) = ", literal(page.limit), " THEN to_json(", encoded, ")::text END")
        return word("'\"cursor\":' || coalesce(", full, ", 'null')")

    def _condition(self, page: Page) -> Piece:
        return where([self.expressions.optional(page.where), self.expressions.optional(page.after)])

    def _meta(self) -> Piece:
        counts = []
        for kind, counting in self.plan.meta:
            label = word("'\"total_count\":'" if kind == "total_count" else "'\"filter_count\":'")
            counts.append(word(label, " || (", self._count(counting), ")"))
        if self.plan.cursor:
            counts.append(self._cursor())
        if not counts:
            return word()
        return word(" || ',\"meta\":{' || ", listed(counts, word(" || ',' || ")), " || '}'")

    def _count(self, counting: Counting) -> Piece:
        condition = where([self.expressions.optional(counting.where)])
        return word("SELECT count(*) FROM ", self.expressions.table(counting.row), condition)

    # -- groups --------------------------------------------------------------------------------------------

    def _groups(self, groups: Groups) -> tuple[Piece, Piece, Piece | None]:
        names: dict[Expression, sql.Identifier] = {}
        for _, scalar in groups.keys:
            names.setdefault(scalar.expression, numbered("#k", len(names)))
        keys = list(names)
        for _, fields in groups.values:
            for _, scalar in fields:
                names.setdefault(scalar.expression, numbered("#v", len(names)))
        for _, node in groups.members or ():
            if isinstance(node, Scalar):
                names.setdefault(node.expression, numbered("#v", len(names)))
        alias = numbered("t", self.plan.page.row.number)
        source = word("(", self._grouped(names, keys), ") AS ", alias)
        frame = Frame(source)
        members = (
            self._rest_members(groups, names, alias, frame)
            if groups.members is None
            else self._named_members(groups.members, names, alias, frame)
        )
        element = self.levels.record(members, frame)
        return element, word(source, *frame.joins), None

    def _rest_members(
        self, groups: Groups, names: dict[Expression, sql.Identifier], alias: Piece, frame: Frame
    ) -> list[tuple[str, Piece]]:
        def value(scalar: Scalar, form: str) -> Piece:
            return in_form(word(alias, ".", names[scalar.expression]), form)

        members = [(key, value(scalar, scalar.format)) for key, scalar in groups.keys]
        for function, fields in groups.values:
            if [field for field, _ in fields] == ["*"]:
                members.append((function, value(fields[0][1], "text")))
                continue
            values = [(field, value(scalar, scalar.format)) for field, scalar in fields]
            members.append((function, self.levels.record(values, frame)))
        return members

    def _named_members(
        self,
        members: Sequence[tuple[str, Node]],
        names: dict[Expression, sql.Identifier],
        alias: Piece,
        frame: Frame,
    ) -> list[tuple[str, Piece]]:
        written = []
        for output, node in members:
            if isinstance(node, Scalar):
                value = in_form(word(alias, ".", names[node.expression]), node.format)
            elif isinstance(node, Constant):
                value = self.levels.constant(node)
            elif isinstance(node, Record):
                value = self.levels.record(self._named_members(node.outputs, names, alias, frame), frame)
            else:
                raise TypeError(node)
            written.append((output, value))
        return written

    def _grouped(self, names: dict[Expression, sql.Identifier], keys: list[Expression]) -> Piece:
        page = self.plan.page
        columns = [word(self._aggregated(expression), " AS ", label) for expression, label in names.items()]
        if not columns:
            columns = [word("count(*) AS ", NUMBER)]
        grouping = listed([word(_position(number)) for number in range(1, len(keys) + 1)], COMMA)
        group = word(" GROUP BY ", grouping) if keys else word()
        order = [
            word(names[key.expression], " DESC" if key.descending else "")
            for key in page.order
        ]  # fmt: skip
        multiplied = self.levels.joins(page.multiplied, inner=True)
        joins, condition = word(multiplied, self.levels.joins(page.joins)), self._condition(page)
        return word(
            "SELECT ", listed(columns), " FROM ", self.expressions.table(page.row), joins, condition, group,
            word(" ORDER BY ", listed(order)) if order else word(), window(page.limit, page.offset),
        )  # fmt: skip

    def _aggregated(self, expression: Expression) -> Piece:
        if isinstance(expression, Aggregate) and "Distinct" in expression.function:
            argument = expression.argument
            if isinstance(argument, Ref) and argument.type in ("json", "xml", "point"):
                # These types know no equality; their text does.
                return word("count(DISTINCT (", self.expressions.expression(argument), ")::text)")
        return self.expressions.expression(expression)


def _ordered(order: Piece | None) -> Piece:
    return word(" ORDER BY ", order) if order else word()


def _position(number: int) -> sql.Literal:
    return sql.Literal(number)
