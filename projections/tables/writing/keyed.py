"""Statements on rows found by keys in a JSON array, and the store of all statements of a collection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from psycopg import sql

from domain.items.shape import Shape
from projections.tables.writing.conditions import Condition
from projections.tables.writing.naming import (
    AND,
    COMMA,
    NULL,
    ROW,
    joined,
    key_text,
    name,
    rendered,
    table_of,
    trusted,
)

_KEPT = 500
Cached = tuple[object, ...]


@dataclass
class Keyed:
    """Look-ups for one collection; statements are made on first use and kept."""

    shape: Shape
    _cache: dict[Cached, bytes] = field(default_factory=dict)

    def keyed(self, template: sql.SQL, label: str, condition: Condition | None = None) -> bytes:
        """A fixed statement on rows found by keys in JSON; parameters: the JSON, then the condition's."""
        return self._kept(
            (label, condition), lambda: rendered(template.format(**self._keyed_parts(condition)))
        )

    def locked(
        self, template: sql.SQL, columns: tuple[str, ...] | None, condition: Condition | None = None
    ) -> bytes:
        """As :meth:`keyed`, answering what ``state`` makes of the columns."""

        def make() -> bytes:
            return rendered(template.format(**self._keyed_parts(condition), state=state(columns)))

        return self._kept(("locked", columns, condition), make)

    def _keyed_parts(self, condition: Condition | None) -> dict[str, sql.Composable]:
        return {
            "table": table_of(self.shape),
            "key": key_text(self.shape, ROW),
            "recordset": COMMA.join([sql.SQL("n int"), self._keys_recordset()]),
            "found": self._found_given(condition),
            "order": self._order(),
        }

    def replaced(self, template: sql.SQL, column: str) -> bytes:
        """The row whose key a rule replaced; parameter: a value below the new one."""
        parts = {"table": table_of(self.shape), "key": key_text(self.shape, ROW), "column": name(column)}
        return self._kept(("replaced", column), lambda: rendered(template.format(**parts)))

    def pointing(self, template: sql.SQL, label: str, pointer: str, **names: str) -> bytes:
        """A fixed statement on rows that point to parents in JSON, through the column ``pointer``."""
        entry = self.shape.writables[pointer]

        def make() -> bytes:
            parts = {
                "table": table_of(self.shape),
                "key": key_text(self.shape, ROW),
                "pointer": name(pointer),
                "type": trusted(entry.column.sql_type),
                "order": self._order(),
            }
            return rendered(
                template.format(**parts, **{label: name(other) for label, other in names.items()})
            )

        return self._kept((label, pointer, *sorted(names.items())), make)

    def lookup(self, template: sql.SQL, pointer: str | None) -> bytes:
        """Which of the keys in JSON are there, with the text of the foreign key ``pointer``."""
        pointed = NULL if pointer is None else sql.SQL("t0.{}::text").format(name(pointer))
        return self._kept(
            ("lookup", pointer),
            lambda: rendered(template.format(**self._keyed_parts(None), pointer=pointed)),
        )

    def column(self, template: sql.SQL, column: str) -> bytes:
        """The text of a column in the rows of the keys in JSON."""
        return self._kept(
            ("column", column),
            lambda: rendered(template.format(**self._keyed_parts(None), column=name(column))),
        )

    def referring(self, template: sql.SQL, columns: tuple[str, ...], wanted: tuple[str, ...] | None) -> bytes:
        """The rows whose foreign key names one of the keys in JSON, with the state of the columns wanted."""

        def make() -> bytes:
            entries = [self.shape.writables[column] for column in columns]
            found = [
                sql.SQL("t0.{} = v.{}::{}").format(
                    name(entry.column.name), name(f"k{place}"), trusted(entry.column.sql_type)
                )
                for place, entry in enumerate(entries)
            ]
            recordset = [sql.SQL("{} text").format(name(f"k{place}")) for place in range(len(entries))]
            return rendered(
                template.format(
                    table=table_of(self.shape),
                    key=key_text(self.shape, ROW),
                    state=state(wanted),
                    recordset=joined(recordset),
                    found=joined(found, AND),
                    order=self._order(),
                )
            )

        return self._kept(("referring", columns, wanted), make)

    def compare(self, template: sql.SQL) -> bytes:
        """What became of rows; parameters: their keys, old states and submitted fields as JSON."""

        def make() -> bytes:
            parts = self._keyed_parts(None)
            return rendered(template.format(**{**parts, "recordset": self._keys_recordset()}))

        return self._kept(("compare",), make)

    def _kept(self, key: Cached, make: Callable[[], bytes]) -> bytes:
        statement = self._cache.get(key)
        if statement is None:
            if len(self._cache) >= _KEPT:
                # Rules of many callers make many conditions; the oldest go.
                self._cache.pop(next(iter(self._cache)))
            statement = self._cache[key] = make()
        return statement

    def _keys_recordset(self) -> sql.Composable:
        return joined([sql.SQL("{} text").format(name(f"k{place}")) for place in range(len(self.shape.key))])

    def _found_given(self, condition: Condition | None) -> sql.Composable:
        parts: list[sql.Composable] = [
            sql.SQL("t0.{} = v.{}::{}").format(
                name(entry.column.name), name(f"k{place}"), trusted(entry.column.sql_type)
            )
            for place, entry in enumerate(self.shape.key)
        ]
        if condition is not None:
            parts.append(condition.clause)
        return joined(parts, AND)

    def _order(self) -> sql.Composable:
        return joined([sql.SQL("t0.{}").format(name(entry.column.name)) for entry in self.shape.key])


def state(columns: tuple[str, ...] | None) -> sql.Composable:
    """A row as JSON: whole (None), or the texts of some columns."""
    if columns is None:
        return sql.SQL("to_jsonb(t0.*)::text")
    texts = [sql.SQL("t0.{0}::text AS {0}").format(name(column)) for column in columns]
    return sql.SQL('(SELECT to_json("acta row") FROM (SELECT {}) AS "acta row")::text').format(joined(texts))
