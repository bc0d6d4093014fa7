"""The statements that write one collection: composed once per set of columns, kept as text.

Texts depend on the collection and the columns only, never on values, so PostgreSQL's prepared statements are
shared by all writes of one form. Values are bound as texts; the column's type reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from domain.items.shape import WritableField
from projections.tables.writing.conditions import Condition
from projections.tables.writing.echo import Echo
from projections.tables.writing.keyed import Keyed
from projections.tables.writing.naming import (
    AND,
    COMMA,
    NULL,
    ROW,
    SLOT,
    joined,
    key_text,
    literal,
    name,
    rendered,
    table_of,
    templates,
    trusted,
)

_ONE = templates("writing/one")
_MANY = templates("writing/many")
_ROW = sql.Identifier("acta row")
_NEW = sql.SQL("(row_new)")
_JUMP = sql.Identifier("jump")
_LIST = sql.SQL("json_array_elements_text({}::json)").format(SLOT)
_WRITER = sql.SQL("pg_current_xact_id()::xid::text")
_TEXTS = frozenset({"text", "character varying", "character", "bpchar", "citext", "name"})


@dataclass(frozen=True)
class Mixed:
    """The columns of many rows at once: all that any row has, and which of them not every row has."""

    columns: tuple[str, ...]
    partial: frozenset[str] = frozenset()

    @property
    def labels(self) -> tuple[str, ...]:
        """What the lists of new rows are called in a statement: a column's values, then which rows have it;
        without columns just one that tells how many rows there are."""
        values = tuple(f"c{place}" for place in range(len(self.columns)))
        given = tuple(f"p{place}" for place, column in enumerate(self.columns) if column in self.partial)
        return values + given or ("n",)


@dataclass
class Statements(Keyed):
    """The statements of one collection at one version of the model."""

    def create_one(self, columns: tuple[str, ...], echo: Echo | None = None) -> bytes:
        """Parameters: the columns' values, then those of the event, then the answer's."""
        return self._kept(("create", columns, echo), lambda: self._create_one(columns, echo))

    def update_one(
        self, columns: tuple[str, ...], condition: Condition | None = None, echo: Echo | None = None
    ) -> bytes:
        """Parameters: the columns' values, the key's columns, the condition's, the event's, the answer's."""
        return self._kept(
            ("update", columns, condition, echo), lambda: self._update_one(columns, condition, echo)
        )

    def touch_one(self, condition: Condition | None = None, echo: Echo | None = None) -> bytes:
        """Parameters: the key's columns, the condition's, the event's, the answer's."""
        return self._kept(
            ("touch", condition, echo),
            lambda: self._one("touch", echo, found=self._found(condition)),
        )

    def delete_one(self, condition: Condition | None = None) -> bytes:
        """Parameters: the key's columns, the condition's, the event's."""
        return self._kept(
            ("delete", condition), lambda: self._one("delete", None, found=self._found(condition))
        )

    def create_many(self, mixed: Mixed, ending: str) -> bytes:
        """Parameters: the columns of the rows as JSON, then what the ending needs."""
        return self._kept(("creates", mixed, ending), lambda: self._create_many(mixed, ending))

    def update_many(self, mixed: Mixed, ending: str, condition: Condition | None = None) -> bytes:
        """Parameters: the rows as JSON, the condition's, then what the ending needs."""
        return self._kept(
            ("updates", mixed, ending, condition), lambda: self._update_many(mixed, ending, condition)
        )

    def delete_many(self, ending: str, condition: Condition | None = None) -> bytes:
        """Parameters: the keys as JSON, the condition's, then what the ending needs."""
        return self._kept(
            ("deletes", ending, condition),
            lambda: self._keyed_many("delete", "item.deleted", ending, condition),
        )

    def touch_many(self, ending: str, condition: Condition | None = None) -> bytes:
        """Parameters: as of ``delete_many``."""
        return self._kept(
            ("touches", ending, condition),
            lambda: self._keyed_many("touch", "item.updated", ending, condition),
        )

    # --- one row

    def _one(self, form: str, echo: Echo | None, **parts: sql.Composable) -> bytes:
        given: dict[str, sql.Composable] = {
            "table": table_of(self.shape),
            "collection": literal(self.shape.name),
            "key": key_text(self.shape, _ROW),
            "after": NULL,
            "answer": NULL if echo is None else sql.SQL("({})").format(echo.query),
            # What a read gives as `xmin`; a touched row keeps the one it has.
            "version": NULL if echo is None or form == "touch" else _WRITER,
        }
        return rendered(_ONE[form].format(**{**given, **parts}))

    def _create_one(self, columns: Sequence[str], echo: Echo | None) -> bytes:
        if columns:
            values = sql.SQL("({}) VALUES ({})").format(
                joined([name(column) for column in columns]), joined([SLOT] * len(columns))
            )
        else:
            values = sql.Composed([sql.SQL("DEFAULT VALUES")])
        after = self._jump(columns, name(self.shape.key[0].column.name))
        return self._one("create", echo, values=values, after=after)

    def _update_one(self, columns: Sequence[str], condition: Condition | None, echo: Echo | None) -> bytes:
        changes = [sql.SQL("{} = {}").format(name(column), SLOT) for column in columns]
        found, payload = self._found(condition), _object(_ROW, columns)
        return self._one("update", echo, changes=joined(changes), found=found, payload=payload)

    def _found(self, condition: Condition | None) -> sql.Composable:
        parts: list[sql.Composable] = [
            sql.SQL("t0.{} = {}").format(name(entry.column.name), SLOT) for entry in self.shape.key
        ]
        if condition is not None:
            parts.append(condition.clause)
        return joined(parts, AND)

    def _jumping(self, columns: Sequence[str]) -> sql.Composable | None:
        """The explicit key of a new row whose key otherwise comes from a sequence."""
        if self.shape.sequence is None or self.shape.key[0].column.name not in columns:
            return None
        return sql.SQL("t0.{}").format(name(self.shape.key[0].column.name))

    def _jump(self, columns: Sequence[str], key: sql.Composable) -> sql.Composable:
        """Move the key's sequence to the highest explicit key, so that the next generated one is free."""
        sequence = self.shape.sequence
        if sequence is None or self._jumping(columns) is None:
            return NULL
        return sql.SQL(
            '(SELECT setval({sequence}::regclass, max(k.{key})) FROM "acta row" AS k'
            " HAVING max(k.{key}) >= coalesce(pg_sequence_last_value({sequence}::regclass), 1))"
        ).format(sequence=literal(sequence), key=key)

    # --- many rows

    def _create_many(self, mixed: Mixed, ending: str) -> bytes:
        columns, values = self._inserted(mixed)
        names = [name(label) for label in mixed.labels]
        head = _MANY["create"].format(
            table=table_of(self.shape),
            columns=columns,
            values=values,
            lists=joined([_LIST] * len(names)),
            names=joined(names),
            key=key_text(self.shape, ROW),
            jump=self._jumping(mixed.columns) or NULL,
        )
        return self._ended(head, f"created_{ending}", "item.created", self._jump(mixed.columns, _JUMP))

    def _inserted(self, mixed: Mixed) -> tuple[sql.Composable, sql.Composable]:
        """The list of columns of an insert, and what goes into them."""
        listed = sql.SQL("({})")
        if mixed.columns:
            values = [self._value(place, column, mixed) for place, column in enumerate(mixed.columns)]
            return listed.format(joined([name(column) for column in mixed.columns])), joined(values)
        # Rows of nothing but defaults: some column has to be named, and is given its own default.
        for column, entry in self.shape.writables.items():
            if entry.writable:
                return listed.format(name(column)), self.default_of(column) or NULL
        # Every column is the database's own; an identity may be named when its value is not insisted on.
        own = listed.format(name(self.shape.key[0].column.name))
        return own + sql.SQL(" OVERRIDING USER VALUE"), NULL

    def _value(self, place: int, column: str, mixed: Mixed) -> sql.Composable:
        entry = self.shape.writables[column]
        given = _cast(entry, place)
        default = _default(entry)
        if column not in mixed.partial or default is None:
            return given
        return sql.SQL("CASE WHEN v.{} IS NOT NULL THEN {} ELSE {} END").format(
            name(f"p{place}"), given, default
        )

    def _update_many(self, mixed: Mixed, ending: str, condition: Condition | None) -> bytes:
        head = _MANY["update"].format(
            table=table_of(self.shape),
            recordset=COMMA.join([_recordset(mixed), self._keys_recordset()]),
            found=self._found_given(condition),
            order=self._order(),
            changes=joined(self._changes(mixed)),
            same=self._same(),
            key=key_text(self.shape, _NEW),
            payload=self._changed(mixed),
        )
        return self._ended(head, ending, "item.updated")

    def _changes(self, mixed: Mixed) -> list[sql.Composable]:
        changes: list[sql.Composable] = []
        for place, column in enumerate(mixed.columns):
            value: sql.Composable = _cast(self.shape.writables[column], place)
            if column in mixed.partial:
                value = sql.SQL("CASE WHEN v.{} THEN {} ELSE t0.{} END").format(
                    name(f"p{place}"), value, name(column)
                )
            changes.append(sql.SQL("{} = {}").format(name(column), value))
        return changes

    def plain_insert(self, template: sql.SQL, mixed: Mixed) -> bytes:
        """For tables with rewrite rules; parameters: the rows as JSON."""

        def make() -> bytes:
            columns, values = self._inserted(mixed)
            return rendered(
                template.format(
                    table=table_of(self.shape),
                    columns=columns,
                    values=values,
                    recordset=_recordset(mixed),
                )
            )

        return self._kept(("plain insert", mixed), make)

    def plain_update(self, template: sql.SQL, mixed: Mixed) -> bytes:
        """For tables with rewrite rules; parameters: the rows as JSON."""

        def make() -> bytes:
            return rendered(
                template.format(
                    table=table_of(self.shape),
                    changes=joined(self._changes(mixed)),
                    recordset=COMMA.join([_recordset(mixed), self._keys_recordset()]),
                    found=self._found_given(None),
                )
            )

        return self._kept(("plain update", mixed), make)

    def default_of(self, column: str) -> sql.Composable | None:
        """The expression that makes a column's value when an insert leaves it out."""
        return _default(self.shape.writables[column])

    def _changed(self, mixed: Mixed) -> sql.Composable:
        """The submitted columns after the write; with triggers or generated columns also what they
        changed."""
        if self.exact and not mixed.partial:
            return _object(_NEW, mixed.columns)
        computed = (
            sql.SQL(" OR c.value IS DISTINCT FROM to_jsonb(row_old) -> c.key")
            if not self.exact
            else sql.SQL("")
        )
        return sql.SQL(
            "coalesce((SELECT jsonb_object_agg(c.key, c.value) FROM jsonb_each(to_jsonb(row_new)) AS c"
            " WHERE c.key = ANY (fields){}), '{{}}'::jsonb)"
        ).format(computed)

    @property
    def exact(self) -> bool:
        """Whether an update changes the submitted columns and no others."""
        collection = self.shape.collection
        return not collection.triggers and not any(column.generated for column in collection.columns.values())

    def _keyed_many(self, form: str, topic: str, ending: str, condition: Condition | None) -> bytes:
        head = _MANY[form].format(
            table=table_of(self.shape),
            recordset=COMMA.join([sql.SQL("n int"), self._keys_recordset()]),
            found=self._found_given(condition),
            order=self._order(),
            same=self._same(),
            key=key_text(self.shape, _NEW),
        )
        return self._ended(head, ending, topic)

    def _ended(self, head: sql.Composable, ending: str, topic: str, after: sql.Composable = NULL) -> bytes:
        tail = _MANY[ending].format(topic=literal(topic), collection=literal(self.shape.name), after=after)
        return rendered(head + sql.SQL("\n") + tail)

    def _same(self) -> sql.Composable:
        columns = [name(entry.column.name) for entry in self.shape.key]
        return joined([sql.SQL("t0.{0} = (v.row_old).{0}").format(column) for column in columns], AND)


def _recordset(mixed: Mixed) -> sql.Composed:
    parts: list[sql.Composable] = [sql.SQL("n int"), sql.SQL("fields text[]")]
    for place, column in enumerate(mixed.columns):
        parts.append(sql.SQL("{} text").format(name(f"c{place}")))
        if column in mixed.partial:
            parts.append(sql.SQL("{} boolean").format(name(f"p{place}")))
    return joined(parts)


def _cast(entry: WritableField, place: int) -> sql.Composable:
    """A text of the recordset as the column's type.

    Text types get no cast: an explicit one would cut too long values off, the assignment refuses them.
    """
    column = name(f"c{place}")
    if entry.column.base_type in _TEXTS:
        return sql.SQL("v.{}").format(column)
    return sql.SQL("v.{}::{}").format(column, trusted(entry.column.sql_type))


def _default(entry: WritableField) -> sql.Composable | None:
    if entry.column.identity and entry.column.sequence:
        return sql.SQL("nextval({}::regclass)").format(literal(entry.column.sequence))
    return trusted(entry.column.default) if entry.column.default is not None else None


def _object(row: sql.Composable, columns: Sequence[str]) -> sql.Composable:
    """A JSON object of some columns; calls are nested in pieces, for a function takes at most 100
    arguments."""
    pieces = [columns[start : start + 40] for start in range(0, len(columns), 40)]
    objects = [
        sql.SQL("jsonb_build_object({})").format(
            joined([sql.SQL("{}, {}.{}").format(literal(column), row, name(column)) for column in piece])
        )
        for piece in pieces
    ]
    return joined(objects, sql.SQL(" || "))
