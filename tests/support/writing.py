"""What tests of writing share: a few tables, a writer on them, and ways to look at rows and events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import psycopg
import pytest

from domain.access.command import Command
from domain.access.rights import Rights, Rule
from domain.model import Field, Model, Relation, RelationMeta
from projections.database import Database
from projections.reading import channel
from projections.tables.introspect import load_model
from projections.tables.item_writer import ItemWriter

USER = UUID("11111111-1111-4111-8111-111111111111")

SCHEMA = """
CREATE TABLE authors (
    id serial PRIMARY KEY,
    name varchar(20) NOT NULL,
    rank integer DEFAULT 7
);
CREATE TABLE posts (
    id serial PRIMARY KEY,
    title varchar(10),
    slug text UNIQUE,
    views integer NOT NULL DEFAULT 0,
    price numeric(6, 2),
    published timestamptz,
    data jsonb,
    tags text[],
    author integer REFERENCES authors ON DELETE SET NULL,
    sort integer
);
CREATE TABLE comments (
    id serial PRIMARY KEY,
    body text NOT NULL,
    post integer REFERENCES posts ON DELETE CASCADE
);
"""

NESTED_TABLES = """
CREATE TABLE tags (id serial PRIMARY KEY, label text UNIQUE);
CREATE TABLE posts_tags (
    id serial PRIMARY KEY,
    post integer REFERENCES posts ON DELETE CASCADE,
    tag integer REFERENCES tags ON DELETE SET NULL
);
CREATE TABLE notes (
    id serial PRIMARY KEY, body text, author integer REFERENCES authors ON DELETE CASCADE
);
CREATE TABLE strict (
    id serial PRIMARY KEY, body text, author integer NOT NULL REFERENCES authors
);
CREATE TABLE heads (id serial PRIMARY KEY, text text);
CREATE TABLE texts (id uuid PRIMARY KEY, body text);
CREATE TABLE blocks (
    id serial PRIMARY KEY, post integer REFERENCES posts ON DELETE SET NULL, item text, collection text
);
CREATE TABLE languages (code text PRIMARY KEY, name text);
CREATE TABLE translations (
    id serial PRIMARY KEY,
    post integer REFERENCES posts ON DELETE CASCADE,
    language text REFERENCES languages,
    title text
);
"""
NESTED_RELATIONS = (
    RelationMeta(1, "posts", "author", "authors", "posts", sort_field="sort"),
    RelationMeta(2, "comments", "post", "posts", "comments"),
    RelationMeta(3, "posts_tags", "post", "posts", "labels", junction_field="tag"),
    RelationMeta(4, "posts_tags", "tag", "tags", None, junction_field="post"),
    RelationMeta(5, "notes", "author", "authors", "notes", one_deselect_action="delete"),
    RelationMeta(6, "strict", "author", "authors", "strict"),
    RelationMeta(7, "blocks", "post", "posts", "blocks", junction_field="item"),
    RelationMeta(8, "blocks", "item", None, None, "collection", one_allowed_collections=("heads", "texts")),
    RelationMeta(9, "translations", "post", "posts", "translations", junction_field="language"),
    RelationMeta(10, "translations", "language", "languages", None, junction_field="post"),
)
NESTED = (
    "authors", "posts", "comments", "tags", "posts_tags", "notes", "heads", "texts", "blocks", "languages",
    "translations",
)  # fmt: skip
"""The collections of the tables above and of `SCHEMA`."""


@dataclass
class Bench:
    """What a test writes with and looks at."""

    database: Database
    writer: ItemWriter
    model: Model
    command: Command
    metas: list[RelationMeta] = field(default_factory=list)

    async def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement."""
        async with self.database.connection() as connection:
            cursor = await connection.execute(statement.encode(), values or None)
            return await cursor.fetchall() if cursor.description else []

    async def define(self, statements: str, *relations: RelationMeta) -> None:
        """Create tables and read the model again; relations with metadata of theirs."""
        async with self.database.connection() as connection:
            await connection.execute(statements.encode())
        self.metas += relations
        await self.reload()

    async def reload(self) -> None:
        """Read the model again."""
        async with self.database.connection() as connection:
            model = await load_model(connection, schemas=["public"])
        known = {(meta.many_collection, meta.many_field): meta for meta in self.metas}
        named = tuple(
            replace(relation, meta=known.pop((relation.collection, relation.field), relation.meta))
            for relation in model.relations
        )
        free = tuple(
            Relation(meta.many_collection, meta.many_field, meta.one_collection, None, meta)
            for meta in known.values()
        )
        self.model = _with_aliases(Model(model.version, model.collections, named + free))

    def special(self, collection: str, name: str, *special: str, **meta: Any) -> None:
        """Give a field specials and metadata."""
        found = self.model.collections[collection]
        fields = {**found.fields, name: replace(found.fields[name], special=special, meta=meta or None)}
        collections = {**self.model.collections, collection: replace(found, fields=fields)}
        self.model = Model(self.model.version, collections, self.model.relations)

    async def create(self, collection: str, *payloads: Mapping[str, Any], **more: Any) -> list[str]:
        """Create items as the bench's command."""
        given = [dict(payload) for payload in payloads]
        return await self.writer.create(self.command, self.model, collection, given, **more)

    async def update(self, collection: str, keys: list[Any], payload: Mapping[str, Any]) -> list[str]:
        """Change items as the bench's command."""
        named = [str(key) for key in keys]
        return await self.writer.update(self.command, self.model, collection, named, dict(payload))

    async def delete(self, collection: str, *keys: Any) -> list[str]:
        """Delete items as the bench's command."""
        return await self.writer.delete(self.command, self.model, collection, list(map(str, keys)))

    async def events(self, collection: str | None = None) -> list[tuple[str, str, Any, Any]]:
        """Topic, item, payload and meta of all events, in order."""
        return [
            (topic.removeprefix("item."), item, payload, meta)
            for topic, item, payload, meta in await self.sql(
                "SELECT topic, item, payload, meta FROM acta.events"
                " WHERE %s::text IS NULL OR collection = %s ORDER BY seq",
                collection,
                collection,
            )
        ]

    async def differences(self, *collections: str) -> list[Any]:
        """Rows that are not what the log says they are; the log has to tell of every row."""
        found: list[Any] = []
        for name in collections:
            shape = self.model.collections[name]
            key = " || ',' || ".join(f'"{column}"::text' for column in shape.primary_key)
            statement = f"""
                WITH folded AS (
                    SELECT item, acta.fold(payload ORDER BY seq) AS state,
                           (array_agg(topic ORDER BY seq DESC))[1] AS last
                    FROM acta.events WHERE collection = '{name}' GROUP BY item
                ), kept AS (SELECT * FROM folded WHERE last <> 'item.deleted'),
                live AS (
                    SELECT {key} AS item, to_jsonb(row.*) AS state
                    FROM "{shape.schema}"."{shape.table}" AS row
                )
                SELECT '{name}', item, kept.state, live.state FROM kept FULL JOIN live USING (item)
                WHERE kept.state IS DISTINCT FROM live.state
            """  # noqa: S608  (names of the test itself)
            found += await self.sql(statement)
        return found


def _with_aliases(model: Model) -> Model:
    """Aliases for the one sides that relations name."""
    collections = dict(model.collections)
    for relation in model.relations:
        if relation.meta is None or relation.meta.system:
            continue
        if relation.one_field and relation.related in collections:
            one = collections[relation.related]
            if relation.one_field not in one.fields:
                alias = Field(one.name, relation.one_field, "alias", None, ("o2m",))
                collections[one.name] = replace(one, fields={**one.fields, relation.one_field: alias})
    return Model(model.version, collections, model.relations)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that run inside the block, those that go around psycopg included."""
    seen: list[str] = []
    plain, beside = psycopg.AsyncConnection.execute, channel._run

    async def execute(self: Any, query: Any, *more: Any, **named: Any) -> Any:
        seen.append(query.decode() if isinstance(query, bytes) else str(query))
        return await plain(self, query, *more, **named)

    async def run(connection: Any, key: Any, *more: Any) -> Any:
        seen.append(key[1].decode())
        return await beside(connection, key, *more)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.AsyncConnection, "execute", execute)
        patch.setattr(channel, "_run", run)
        yield seen


def limited(*rules: tuple[str, str, Rule]) -> Rights:
    """The rights of a caller who is no administrator."""
    found: dict[Any, tuple[Rule, ...]] = {}
    for collection, action, rule in rules:
        found[collection, action] = (*found.get((collection, action), ()), rule)
    return Rights("limited", rules=found)
