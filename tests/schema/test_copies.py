"""A snapshot applied to an empty database gives one whose snapshot is the same, whatever the columns."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from domain.access.command import Command
from domain.errors import InvalidForeignKey, InvalidPayload
from projections.database import Database
from projections.prepare import prepare
from projections.schema.service import SchemaService
from projections.tables.store import ModelStore
from tests.support import samples
from tests.support.schema import Rows

KINDS = """
    create type mood as enum ('sad', 'it''s ok', 'happy');
    create domain year as integer check (value > 1900);
    create domain mostly_happy as mood not null;
    create domain recent as year constraint "Not ""yet" check (value < 2100 or value in (3000, 4000));
    create domain code as text check (value ~ '^[a-z]+$');
    create sequence shared_seq;
    create sequence "Odd seq";
    create table kinds (
        id smallint primary key generated always as identity, small smallint default -3, big bigint,
        re real, dp double precision default 1.5, n numeric, n1 numeric(7), n2 numeric(7, 2), cash money,
        v varchar, v5 varchar(5) default 'it''s', c char(3), bp bpchar, t text default 'now then', d date,
        d1 date default current_date, d2 date default ('now'::text)::date, ti time, tz timetz,
        ts timestamp, tsl timestamp default localtimestamp, tsz timestamptz(3) default now(),
        tsu timestamp default timezone('utc', now()), j json default '{"a": [1]}', jb jsonb,
        u uuid default gen_random_uuid(), b boolean default false, bi bit(3), vb bit varying(9), raw bytea,
        i interval, x xml, ip inet, net cidr, mac macaddr, o oid, l line, p point, ra int4range,
        rt tstzrange, ar integer[], art text[] default '{a,b}', m mood default 'it''s ok', ms mood[],
        y year default 2020, mh mostly_happy, vec tsvector, shared integer default nextval('shared_seq'),
        rec recent, code code, un text unique, ix text not null,
        twice bigint generated always as (big * 2) stored not null, "Up per" text
            generated always as (upper(t) || E'\\\\' || 'a''b') stored unique,
        constraint "Too ""big"
            check (big < 100 and (t ~ '^[a-z]+$' or v5 in ('a', 'b')) and re between 0 and 1),
        check (y <> 2000::year), check (coalesce(cardinality(ar), 0) < 5 and not t like '%s{}')
    );
    create index on kinds (ix);
    create table odd (id bigint primary key default nextval('"Odd seq"'), kind smallint references kinds);
    alter sequence "Odd seq" owned by odd.id;
    create table numbers (id serial primary key, "Is it" integer constraint "Odd name" references numbers);
    create table keyless (a integer);
    create table pairs (b text, a integer references numbers, primary key (a, b));
    create view shown as select * from kinds;
"""
TRACK = """
    insert into acta.directus_collections (collection)
    select relname from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'v')
    and not exists (select from pg_inherits i where i.inhrelid = c.oid) order by relname;
    insert into acta.directus_fields (collection, field)
    select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v') order by c.relname, a.attnum;
    insert into acta.directus_relations (many_collection, many_field, one_collection)
    select k.conrelid::regclass, a.attname, k.confrelid::regclass from pg_constraint k
    join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
    where k.contype = 'f' and k.connamespace = 'public'::regnamespace;
"""
DEMANDS = """
    select t.typname, t.typnotnull, k.conname, pg_get_constraintdef(k.oid) from pg_type t
    left join pg_constraint k on k.contypid = t.oid and k.contype = 'c'
    where t.typtype = 'd' and t.typnamespace = 'public'::regnamespace and t.typname <> 'recent' order by 1, 3
"""
SHAPES = """
    select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attidentity <> ''
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attname <> 'tsz'
"""


@pytest.fixture
async def origin(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url, maximum=4) as opened:
        yield opened


async def run(database: Database, statements: str) -> list[Any]:
    async with database.connection() as connection:
        cursor = await connection.execute(statements.encode())
        return await cursor.fetchall() if cursor.description else []


async def snapshot_of(database: Database) -> dict[str, Any]:
    """The snapshot of a database of which everything is tracked."""
    await prepare(database)
    await run(database, TRACK)
    return SchemaService(database, await ModelStore.open(database)).snapshot(Command.internal())


async def copied(service: SchemaService, document: dict[str, Any]) -> dict[str, Any]:
    found = await service.diff(Command.internal(), document)
    assert found is not None
    await service.apply(Command.internal(), found)
    assert await service.diff(Command.internal(), document) is None
    return service.snapshot(Command.internal())


@pytest.mark.parametrize(("name", "tables", "fields"), [("chinook", 11, 64), ("pagila", 15, 87)])
async def test_samples(
    name: str,
    tables: int,
    fields: int,
    database_url: str,
    origin: Database,
    service: SchemaService,
    postgres_programs: Path,
) -> None:
    samples.load(name, database_url, postgres_programs)
    document = await snapshot_of(origin)
    assert (len(document["collections"]), len(document["fields"])) == (tables, fields)
    assert await copied(service, document) == document


async def test_every_kind_of_column(origin: Database, service: SchemaService, database: Database) -> None:
    await run(origin, KINDS)
    document = await snapshot_of(origin)
    assert [entry["name"] for entry in document["types"]] == [
        "mood",
        "code",
        "mostly_happy",
        "recent",
        "year",
    ]
    [kinds] = [entry for entry in document["collections"] if entry["collection"] == "kinds"]
    assert set(kinds["schema"]["checks"]) == {'Too "big', "kinds_y_check", "kinds_check"}
    assert await copied(service, document) == document
    assert await run(origin, DEMANDS) == await run(database, DEMANDS)
    # Of `tsz` a snapshot can't tell the digits of its seconds.
    assert set(await run(origin, SHAPES)) == set(await run(database, SHAPES))


async def test_edits_are_exact(origin: Database, service: SchemaService, database: Database) -> None:
    await run(origin, KINDS)
    document = await snapshot_of(origin)
    await copied(service, document)
    await run(
        origin,
        """
        drop view shown;
        alter table kinds alter small type integer, alter re type double precision, alter jb type json,
            alter c type char(7), alter n1 type numeric(8), alter v type varchar(9), alter big set default 7;
        alter table kinds alter d1 drop default, alter shared drop default,
            alter tsz set default clock_timestamp();
        create sequence fresh;
        alter table kinds alter big set default nextval('fresh');
        alter type mood add value 'glad';
        alter table numbers rename constraint "Odd name" to plain;
        alter table odd drop constraint odd_kind_fkey;
        alter table kinds drop constraint kinds_check, drop constraint kinds_y_check,
            add constraint kinds_y_check check (y > 1950), add check (length(v5) > 2);
        alter table kinds alter twice drop expression, drop "Up per",
            add "Up per" integer generated always as (length(t)) stored;
        alter table odd add constraint odd check (id <> kind);
        """,
    )
    changed = SchemaService(origin, await ModelStore.open(origin)).snapshot(Command.internal())
    assert changed != document
    assert await copied(service, changed) == changed


async def test_changes_of_checks_are_taken_back(origin: Database, service: SchemaService, rows: Rows) -> None:
    await run(origin, "create table odd (id integer primary key constraint odd check (id > 0))")
    first = await snapshot_of(origin)
    await copied(service, first)
    await rows("alter table odd add untracked integer constraint untracked check (untracked > 0)")
    await run(origin, "alter table odd drop constraint odd, add constraint even check (id % 2 = 0)")
    later = SchemaService(origin, await ModelStore.open(origin)).snapshot(Command.internal())
    await copied(service, later)
    [(seq,)] = await rows("select seq from acta.events where topic = 'collection.updated'")
    await service.undo(Command.internal(), seq)
    assert service.snapshot(Command.internal()) == first
    assert await rows(
        "select conname from pg_constraint where contype = 'c' and conrelid = 'odd'::regclass"
        " order by conname"
    ) == [("odd",), ("untracked",)]


FOREIGN = [
    "id > 0) , add column x text default (current_user",
    "id > 0) not valid, add check (true",
    "id > 0; drop table numbers",
    "id > 0 -- ",
    "id > 0 /* */",
    "$$a$$ = 'a'",
    "E'a\\'' = '' or g = '",
    "(id > 0",
    "id > [0)",
    "id >",
    "nosuch(id)",
    "id",
    "pg_sleep(1) is null",
    "current_setting('data_directory') <> ''",
    "query_to_xml('select 1', true, true, '') is not null",
    "exists (select from pg_authid)",
    "",
    5,
]


@pytest.mark.parametrize("part", ["checks", "generated", "types"])
async def test_foreign_expressions_are_refused(
    origin: Database, service: SchemaService, rows: Rows, part: str
) -> None:
    made = "id serial primary key, g boolean generated always as (id > 0) stored check (g)"
    await run(origin, f"create table numbers ({made})")
    document = await snapshot_of(origin)
    for expression in FOREIGN:
        if part == "types":
            text = re.sub(r"\bid\b", "value", expression) if isinstance(expression, str) else expression
            document["types"] = [{"name": "number", "base": "integer", "checks": {"positive": text}}]
        elif part == "checks":
            document["collections"][0]["schema"]["checks"] = {"numbers_g_check": expression}
        else:
            document["fields"][1]["schema"]["generation_expression"] = expression
        found = await service.diff(Command.internal(), document)
        with pytest.raises(InvalidPayload):
            await service.apply(Command.internal(), found)
    assert await rows("select count(*) from pg_tables where schemaname = 'public'") == [(0,)]


BENT: list[tuple[str, Any]] = [
    ("fields", {"meta": []}),
    ("fields", {"schema": 5}),
    ("fields", {"schema": {"data_type": ["integer"]}, "type": "unknown"}),
    ("fields", {"schema": {"data_type": "a\0b"}, "type": "unknown"}),
    ("fields", {"schema": {"data_type": "character varying", "max_length": 10**12}, "type": "string"}),
    ("fields", {"type": ["string"]}),
    ("collections", {"meta": 5}),
    ("collections", {"meta": {"group": ["x"]}}),
    ("collections", {"schema": {"name": "bent", "primary_key": 5}}),
    ("collections", {"schema": {"name": "bent", "primary_key": ["nosuch"]}}),
    ("collections", {"schema": {"name": "bent", "checks": 5}}),
    ("collections", {"schema": {"name": "bent", "checks": {"": "true"}}}),
    ("collections", {"schema": {"name": "bent", "checks": {"x" * 64: "true"}}}),
    ("relations", {"related_collection": 5}),
    ("relations", {"schema": {"on_delete": 5}}),
    ("relations", {"meta": "x"}),
]


async def test_bent_diffs_are_refused(service: SchemaService, rows: Rows) -> None:
    names = {
        "collections": {"collection": "bent"},
        "fields": {"collection": "bent", "field": "a"},
        "relations": {"collection": "bent", "field": "a"},
    }
    whole: dict[str, Any] = {
        "collections": {"meta": {}, "schema": {"name": "bent"}},
        "fields": {"meta": {}, "schema": {"data_type": "integer"}, "type": "integer"},
        "relations": {"meta": {}, "schema": None, "related_collection": None},
    }
    for part, change in BENT:
        diff: dict[str, Any] = {"systemFields": []}
        for name, keys in names.items():
            target = {**whole[name], **(change if name == part else {})}
            diff[name] = [{**keys, "diff": [{"kind": "N", "rhs": target}]}]
        with pytest.raises((InvalidPayload, InvalidForeignKey)):
            await service.apply(Command.internal(), {"hash": "x", "diff": diff}, force=True, dry=True)
    assert await rows("select count(*) from pg_tables where schemaname = 'public'") == [(0,)]


async def test_types_that_are_not_there_are_refused(
    origin: Database, service: SchemaService, rows: Rows
) -> None:
    await run(origin, KINDS)
    document = await snapshot_of(origin)
    before = await rows("select count(*) from acta.events")
    found = await service.diff(Command.internal(), {**document, "types": []})
    with pytest.raises(InvalidPayload, match=r'"kinds\.m" is of type "mood"'):
        await service.apply(Command.internal(), found)
    found = await service.diff(Command.internal(), document)
    assert found is not None
    for types in (
        [{"name": "mood", "diff": [{"kind": "N", "rhs": {"name": "mood"}}]}],
        [{"name": "mood", "diff": [{"kind": "N", "rhs": {"name": "mood", "base": "integer; select 1"}}]}],
        [{"name": "mood", "diff": [{"kind": "D", "lhs": {"name": "mood"}}]}],
        [{"name": "mood", "diff": [{"kind": "E", "path": ["labels"], "lhs": [], "rhs": []}]}],
        [{"diff": [{"kind": "N", "rhs": {}}]}],
        "mood",
    ):
        body = {**found, "diff": {**found["diff"], "types": types}}
        with pytest.raises(InvalidPayload):
            await service.apply(Command.internal(), body)
    assert await rows("select count(*) from acta.events") == before
    assert await rows("select count(*) from pg_tables where schemaname = 'public'") == [(0,)]
