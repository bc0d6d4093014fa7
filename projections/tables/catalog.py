"""What PostgreSQL's catalog tells of tables, views and columns, read in a few statements for all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from domain.model import Check, CollectionKind, Column, CompositeForeignKey, Domain, ForeignKey
from projections.database import Connection
from projections.sql import load

SYSTEM_SCHEMA = "acta"
TYPES = 0
"""The key of the fingerprint that all enums and domains share."""

_STATEMENTS = load("catalog/catalog")
_KINDS: Mapping[str, CollectionKind] = {
    "r": CollectionKind.TABLE,
    "p": CollectionKind.PARTITIONED,
    "v": CollectionKind.VIEW,
    "m": CollectionKind.MATERIALIZED_VIEW,
    "f": CollectionKind.FOREIGN_TABLE,
}
_ACTIONS: Mapping[str, str] = {
    "a": "NO ACTION",
    "r": "RESTRICT",
    "c": "CASCADE",
    "n": "SET NULL",
    "d": "SET DEFAULT",
}
_BITS: Mapping[str, int] = {"smallint": 16, "integer": 32, "bigint": 64, "real": 24, "double precision": 53}


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view as the catalog tells it, before any metadata is merged in."""

    schema: str
    name: str
    kind: CollectionKind
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    primary_key_name: str | None = None
    comment: str | None = None
    triggers: bool = False
    rules: bool = False
    composite_keys: tuple[CompositeForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()


async def read_fingerprints(connection: Connection, schemas: Sequence[str]) -> dict[int, str]:
    """A text per table (by oid) that differs whenever its definition has changed, and one for `TYPES`."""
    cursor = await connection.execute(_STATEMENTS["fingerprints"], {"schemas": list(schemas)})
    return dict(await cursor.fetchall())


async def read_tables(
    connection: Connection, schemas: Sequence[str], exclude: Sequence[str], oids: Iterable[int] | None = None
) -> dict[int, Table]:
    """The tables and views of the schemas by oid; with ``oids``, only those among them."""
    chosen = None if oids is None else list(oids)
    parameters = {"schemas": list(schemas), "exclude": list(exclude), "oids": chosen}
    cursor = await connection.execute(_STATEMENTS["tables"], parameters)
    heads = {row[0]: row for row in await cursor.fetchall()}
    facts = await _read_facts(connection, list(heads))
    return {oid: _table(head, facts) for oid, head in heads.items()}


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the catalog says of the columns of many tables; keys are (table, number of column)."""

    columns: Mapping[int, list[tuple[Any, ...]]]
    foreign: Mapping[int, list[tuple[Any, ...]]]
    checks: Mapping[int, list[Check]]
    types: Mapping[tuple[int, int], _Type]
    unique: frozenset[tuple[int, int]]
    indexed: frozenset[tuple[int, int]]
    leading: frozenset[tuple[int, int]]
    sequences: Mapping[tuple[int, int], str]
    comments: Mapping[tuple[int, int], str]


@dataclass(frozen=True, slots=True)
class _Type:
    category: str
    data_type: str
    sql_type: str
    base_type: str
    required: bool
    labels: tuple[str, ...]
    checks: tuple[Check, ...]


async def _read_facts(connection: Connection, oids: list[int]) -> _Facts:
    async def rows(statement: str) -> list[tuple[Any, ...]]:
        return await (await connection.execute(_STATEMENTS[statement], {"oids": oids})).fetchall()

    columns: dict[int, list[tuple[Any, ...]]] = {oid: [] for oid in oids}
    used: dict[tuple[int, int], None] = {}
    for row in await rows("columns"):
        columns[row[0]].append(row)
        used[row[3], row[4]] = None
    foreign: dict[int, list[tuple[Any, ...]]] = {}
    for row in await rows("foreign_keys"):
        foreign.setdefault(row[0], []).append(row)
    checks: dict[int, list[Check]] = {}
    for oid, name, expression, names in await rows("checks"):
        checks.setdefault(oid, []).append(Check(name, expression, tuple(names)))
    pairs = {"types": [kind for kind, _ in used], "modifiers": [modifier for _, modifier in used]}
    cursor = await connection.execute(_STATEMENTS["types"], pairs)
    types = {(row[0], row[1]): _type(*row[2:]) for row in await cursor.fetchall()}
    return _Facts(
        columns=columns,
        foreign=foreign,
        checks=checks,
        types=types,
        unique=frozenset((oid, number) for oid, number in await rows("sole_keys")),
        indexed=frozenset((oid, number) for oid, number in await rows("sole_indexes")),
        leading=frozenset((oid, number) for oid, number in await rows("leading_indexes")),
        sequences={(oid, number): name for oid, number, name in await rows("sequences")},
        comments={(oid, number): text for oid, number, text in await rows("comments")},
    )


def _type(
    category: str,
    data_type: str,
    sql_type: str,
    base: str | None,
    required: bool,
    labels: list[str],
    checks: list[tuple[str, str]],
) -> _Type:
    found = tuple(Check(name, expression) for name, expression in checks)
    return _Type(category, data_type, sql_type, base or data_type, required, tuple(labels), found)


def _table(head: tuple[Any, ...], facts: _Facts) -> Table:
    oid, schema, name, kind, comment, key_name, key, triggers, rules = head
    columns = facts.columns[oid]
    names = {row[1]: row[2] for row in columns}
    single: dict[str, ForeignKey] = {}
    composite: list[CompositeForeignKey] = []
    for _, constraint, places, to_schema, to_table, targets, on_update, on_delete in facts.foreign.get(
        oid, ()
    ):
        actions = (_ACTIONS[on_update], _ACTIONS[on_delete])
        if len(places) == 1:
            one = ForeignKey(constraint, to_schema, to_table, targets[0], *actions)
            single.setdefault(names[places[0]], one)
        else:
            own = tuple(names[place] for place in places)
            several = CompositeForeignKey(constraint, own, to_schema, to_table, tuple(targets), *actions)
            composite.append(several)
    primary = frozenset(key or ())
    return Table(
        schema=schema,
        name=name,
        kind=_KINDS[kind],
        columns=tuple(_column(row, facts, row[1] in primary, single.get(row[2])) for row in columns),
        primary_key=tuple(names[place] for place in key or ()),
        primary_key_name=key_name,
        comment=comment,
        triggers=triggers,
        rules=rules,
        composite_keys=tuple(composite),
        checks=tuple(facts.checks.get(oid, ())),
    )


def _column(row: tuple[Any, ...], facts: _Facts, primary: bool, foreign: ForeignKey | None) -> Column:
    oid, number, name, type_oid, modifier, required, identity, generated, expression = row
    place = oid, number
    kind = facts.types[type_oid, modifier]
    own_identity: Literal["", "a", "d"] = identity
    precision, scale = _numbers(kind.data_type, modifier)
    sequence = facts.sequences.get(place)
    return Column(
        name=name,
        data_type=_spatial(kind) if kind.data_type == "geometry" else kind.data_type,
        sql_type=kind.sql_type,
        base_type=kind.base_type,
        category=kind.category,
        default=None if generated else expression,
        max_length=_length(kind.data_type, modifier),
        numeric_precision=precision,
        numeric_scale=scale,
        nullable=not (required or kind.required),
        unique=place in facts.unique,
        indexed=place in facts.indexed,
        leading=place in facts.leading,
        primary_key=primary,
        auto_increment=primary and sequence is not None,
        sequence=sequence,
        identity=own_identity,
        generation=expression if generated else None,
        comment=facts.comments.get(place),
        foreign_key=foreign,
        labels=kind.labels,
        domain=Domain(kind.required, kind.checks) if kind.category == "d" else None,
    )


def _spatial(kind: _Type) -> str:
    """The kind of a PostGIS geometry, which its modifier holds: the wire shows it as the type."""
    _, bracket, rest = kind.sql_type.partition("(")
    return rest.split(",")[0].rstrip(")").upper() if bracket else "GEOMETRY"


def _length(data_type: str, modifier: int) -> int | None:
    if modifier < 0:
        return None
    if data_type in ("character varying", "character"):
        return modifier - 4
    return modifier if data_type in ("bit", "bit varying") else None


def _numbers(data_type: str, modifier: int) -> tuple[int | None, int | None]:
    if data_type in _BITS:
        return _BITS[data_type], None if data_type in ("real", "double precision") else 0
    if data_type == "numeric" and modifier >= 0:
        # 16 bits of precision, 11 bits of scale with sign.
        packed = modifier - 4
        return packed >> 16 & 0xFFFF, ((packed & 0x7FF) ^ 0x400) - 0x400
    return None, None
