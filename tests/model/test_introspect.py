"""What the catalog holds arrives in the model."""

from domain.model import CollectionKind, ForeignKey
from tests.model.conftest import Execute, Look


async def test_keys_defaults_and_flags(execute: Execute, look: Look) -> None:
    await execute("""
        create table thing (
            id serial primary key, big bigint generated always as identity, code varchar(20) unique,
            looked int, twice int, other int, note text not null default 'x', price numeric(8,2),
            free numeric, bits bit(3), letters char(4), open varchar
        );
        create index on thing (looked) where looked > 0;
        create index on thing (twice, other);
        create unique index on thing (other);
        comment on table thing is 'Things';
        comment on column thing.note is 'A note';
    """)
    thing = (await look()).collections["thing"]
    column = thing.columns
    assert (thing.kind, thing.schema, thing.comment) == (CollectionKind.TABLE, "public", "Things")
    assert thing.primary_key == ("id",)
    assert thing.primary_key_name == "thing_pkey"
    assert column["id"].auto_increment
    assert column["id"].unique
    assert column["id"].sequence == "public.thing_id_seq"
    assert column["id"].default == "nextval('thing_id_seq'::regclass)"
    assert column["big"].identity == "a"
    assert column["big"].has_default
    assert not column["big"].auto_increment
    assert column["code"].unique
    assert column["code"].max_length == 20
    # Partial indexes count, indexes over several columns don't, and unique ones are no constraint.
    assert [name for name, entry in column.items() if entry.indexed] == ["looked"]
    assert not column["other"].unique
    assert not column["note"].nullable
    assert column["note"].comment == "A note"
    assert (column["price"].numeric_precision, column["price"].numeric_scale) == (8, 2)
    assert (column["free"].numeric_precision, column["free"].numeric_scale) == (None, None)
    assert (column["id"].numeric_precision, column["big"].numeric_precision) == (32, 64)
    assert [column[name].max_length for name in ("bits", "letters", "open")] == [3, 4, None]


async def test_types_of_the_user(execute: Execute, look: Look) -> None:
    await execute("""
        create schema "Odd one";
        create type mood as enum ('sad', 'ok');
        create type "Odd one"."Mixed" as enum ('A');
        create domain age as integer check (value > 0);
        create domain adult as age not null;
        create domain feeling as mood;
        create table person (
            id uuid primary key default gen_random_uuid(), mood mood, odd "Odd one"."Mixed", age age,
            adult adult, feeling feeling, moods mood[], tags text[], nested int[][], span int4range,
            doubled int generated always as (1 + 1) stored
        );
    """)
    person = (await look()).collections["person"]
    column = person.columns
    seen = {name: (entry.data_type, entry.sql_type, entry.base_type) for name, entry in column.items()}
    assert seen == {
        "id": ("uuid", "uuid", "uuid"),
        "mood": ("mood", "public.mood", "mood"),
        "odd": ("Mixed", '"Odd one"."Mixed"', "Mixed"),
        "age": ("age", "public.age", "integer"),
        "adult": ("adult", "public.adult", "integer"),
        "feeling": ("feeling", "public.feeling", "mood"),
        "moods": ("mood[]", "public.mood[]", "mood[]"),
        "tags": ("text[]", "text[]", "text[]"),
        "nested": ("integer[]", "integer[]", "integer[]"),
        "span": ("int4range", "int4range", "int4range"),
        "doubled": ("integer", "integer", "integer"),
    }
    assert column["mood"].labels == column["feeling"].labels == ("sad", "ok")
    assert (column["mood"].category, column["age"].category, column["span"].category) == ("e", "d", "r")
    assert not column["adult"].nullable
    assert column["age"].nullable
    assert column["doubled"].generated
    assert column["doubled"].default is None
    assert person.fields["age"].type == "integer"
    assert person.fields["age"].schema_type == "unknown"


async def test_relations_and_composite_keys(execute: Execute, look: Look) -> None:
    await execute("""
        create table country (id char(2) primary key);
        create table region (country char(2) references country on delete cascade, code int,
                             primary key (code, country));
        create table town (id int primary key, country char(2), code int, twin int references town,
                           constraint region_of_town foreign key (country, code)
                           references region (country, code) on update cascade on delete set null);
    """)
    model = await look()
    town = model.collections["town"]
    assert model.collections["region"].primary_key == ("code", "country")
    assert model.collections["region"].columns["country"].primary_key
    (composite,) = town.composite_keys
    assert (composite.constraint, composite.columns, composite.table) == (
        "region_of_town", ("country", "code"), "region",
    )  # fmt: skip
    assert (composite.targets, composite.on_update, composite.on_delete) == (
        ("country", "code"), "CASCADE", "SET NULL",
    )  # fmt: skip
    assert [(each.collection, each.field, each.related) for each in model.relations] == [
        ("region", "country", "country"),
        ("town", "twin", "town"),
    ]
    assert model.relations[0].constraint == ForeignKey(
        "region_country_fkey", "public", "country", "id", "NO ACTION", "CASCADE"
    )
    assert model.side("town", "twin") is not None
    assert model.incoming("country") == (model.relations[0],)


async def test_views_partitions_children_rules_and_triggers(execute: Execute, look: Look) -> None:
    await execute("""
        create table plain (id int primary key, n int);
        create view seen as select * from plain;
        create materialized view kept as select * from plain;
        create table log (id int, at date, primary key (id, at)) partition by range (at);
        create table log_1 partition of log for values from ('2026-01-01') to ('2027-01-01');
        create table parent (id int primary key);
        create table child () inherits (parent);
        create rule elsewhere as on insert to parent where new.id > 9 do instead nothing;
        create function same() returns trigger language plpgsql as 'begin return new; end';
        create trigger touch before update on plain for each row execute function same();
        create trigger told after insert on log for each statement execute function same();
        create trigger late before insert on child for each row execute function same();
    """)
    model = await look()
    assert {name: each.kind for name, each in model.collections.items()} == {
        "kept": CollectionKind.MATERIALIZED_VIEW,
        "log": CollectionKind.PARTITIONED,
        "parent": CollectionKind.TABLE,
        "plain": CollectionKind.TABLE,
        "seen": CollectionKind.VIEW,
    }
    assert [name for name, each in model.collections.items() if each.writable] == ["log", "parent", "plain"]
    assert [name for name, each in model.collections.items() if each.triggers] == ["parent", "plain"]
    assert [name for name, each in model.collections.items() if not each.returning] == ["parent"]


async def test_schemas_and_names(execute: Execute, look: Look) -> None:
    await execute("""
        create schema shop;
        create table customer (id int primary key);
        create table shop.customer (id int primary key, of int references public.customer);
        create table shop."Order Line" (id int primary key, customer int references shop.customer);
        create table sysdiagrams (id int primary key);
        create table directus_users (id int primary key);
    """)
    model = await look("public", "shop", exclude=("sysdiagrams",))
    assert list(model.collections) == ["Order Line", "customer", "shop.customer"]
    assert model.collections["shop.customer"].table == "customer"
    related = {(each.collection, each.field): each.related for each in model.relations}
    assert related == {("shop.customer", "of"): "customer", ("Order Line", "customer"): "shop.customer"}
    assert list((await look("shop", "public", exclude=("sysdiagrams",))).collections) == [
        "Order Line", "customer", "public.customer",
    ]  # fmt: skip
    only_public = await look()
    assert list(only_public.collections) == ["customer", "sysdiagrams"]


async def test_references_to_system_tables(prepared: object, execute: Execute, look: Look) -> None:
    await execute("""
        create table note (id int primary key, author uuid references acta.directus_users on delete set null,
                           picture uuid references acta.directus_files);
    """)
    model = await look()
    related = {each.field: each.related for each in model.relations if each.collection == "note"}
    assert related == {"author": "directus_users", "picture": "directus_files"}


async def test_columns_that_are_gone(execute: Execute, look: Look) -> None:
    await execute("""
        create table thin (a int, b int primary key, c int references thin);
        alter table thin drop column a;
        create table bare ();
    """)
    model = await look()
    assert list(model.collections["thin"].fields) == ["b", "c"]
    assert model.collections["thin"].primary_key == ("b",)
    assert not model.collections["bare"].fields
