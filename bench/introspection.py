"""Compares the GraphQL schemas of both servers for the same model: types, fields, arguments, nullability.

The model is made by the same requests; it has a field of every kind, relations of every kind, a singleton and
names that GraphQL can't have. It is looked at by the administrator and by a caller of few rights.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_client_schema,
    get_introspection_query,
    is_specified_scalar_type,
)

from bench import reference
from bench.client import ADMIN_TOKEN, call
from bench.databases import Databases
from bench.load import LoadError
from bench.servers import Server, acta_server, reference_server

READER = "bench-introspection-token"
SCOPES = {"items": "/graphql", "system": "/graphql/system"}
KINDS = (
    "string", "text", "boolean", "integer", "bigInteger", "float", "decimal", "date", "dateTime", "timestamp",
    "time", "json", "csv", "uuid", "hash",
)  # fmt: skip
BY_HAND = """
    create table raw (
        id bigint generated always as identity primary key, bytes bytea, tags text[], span interval,
        code char(3), small smallint default 1, whole bigint not null default 5,
        wide double precision not null default 1.5,
        made timestamptz not null default now(), address inet, plain numeric
    )
"""
"""What no request makes."""
Facts = Mapping[str, str]
"""What a schema says, one entry a fact: ``posts.title`` is ``String!``."""


@dataclass(frozen=True)
class Explained:
    """A difference that is meant: which facts it covers, and why."""

    fact: str
    reason: str

    def covers(self, fact: str) -> bool:
        """Whether it is about this fact."""
        return re.fullmatch(self.fact, fact) is not None


EXPLAINED = (
    Explained(r"Query\.\w+\(asOf\)", "an extension: root fields can be read as of a moment"),
    Explained(
        r"((create|update)_raw_input|raw|version_raw)\.tags", "arrays of PostgreSQL are JSON, not String"
    ),
    Explained(
        r"\w*directus_(deployments|settings)\w*\.(credentials|ai_\w+_api_key)",
        "secrets are Hash, and can only be asked for being there",
    ),
    Explained(r"directus_fields_meta\.id", "fields of system collections have metadata without an id"),
    Explained(
        r"write_directus_collections_(input\.(collection|schema|fields)|schema_input(\.\w+)?)",
        "tables can be created",
    ),
    Explained(
        r"write_directus_relations_schema_input\.\w+", "a constraint can be changed without being repeated"
    ),
    Explained(
        r"version_comments\.(id|post)",
        "who may not update sees in versions what he may read, not what he may create",
    ),
    Explained(r"version_\w+\.\w+_func", "changes that wait in a version have no functions"),
)


def compare(postgres: str, work: Path, say: Callable[[str], None]) -> list[str]:
    """Start both, and give the differences that nothing explains."""
    servers = _servers(postgres, work)
    try:
        for server in servers:
            say(f"{server.side}: starting, making the model")
            server.start()
            for method, path, body in model():
                _send(server, method, path, body)
        open_: list[str] = []
        used: dict[Explained, int] = {}
        for caller, token in (("administrator", ADMIN_TOKEN), ("reader", READER)):
            for scope, path in SCOPES.items():
                theirs, ours = (facts(schema_of(server, path, token)) for server in servers)
                say(f"{caller}, {scope}: {len(theirs)} facts of the reference, {len(ours)} of ours")
                for fact in sorted(theirs.keys() | ours.keys()):
                    if theirs.get(fact) == ours.get(fact):
                        continue
                    known = next((one for one in EXPLAINED if one.covers(fact)), None)
                    if known is None:
                        open_.append(f"{caller}, {scope}: {fact}: {theirs.get(fact)} -> {ours.get(fact)}")
                    else:
                        used[known] = used.get(known, 0) + 1
        for known, count in used.items():
            say(f"{count} explained: {known.fact}: {known.reason}")
        return open_
    finally:
        for server in servers:
            server.stop()


def _servers(postgres: str, work: Path) -> list[Server]:
    databases = Databases(postgres)
    for side in ("reference", "acta"):
        databases.empty(f"introspection_{side}")
        with psycopg.connect(databases.url(f"introspection_{side}")) as connection:
            connection.execute(BY_HAND)
    theirs = reference_server(reference.install(work), databases.url("introspection_reference"), work)
    ours = acta_server(databases.url("introspection_acta"), work)
    for server in (theirs, ours):
        server.first = "/server/ping"
    return [theirs, ours]


def _send(server: Server, method: str, path: str, body: object) -> None:
    answer = call(server.url + path, method, json.dumps(body))
    if not answer.ok:
        text = answer.body[:500].decode(errors="replace")
        raise LoadError(f"{server.side}: {method} {path} gave {answer.status}: {text}")


# -- the model ---------------------------------------------------------------------------------------------


def model() -> Iterator[tuple[str, str, object]]:
    """The requests that make the model."""
    yield "PATCH", "/collections/raw", {"meta": {"hidden": False}}
    yield "POST", "/collections", _collection("kinds", "integer", [*_kinds()])
    yield (
        "POST",
        "/collections",
        _collection("authors", "uuid", [_field("name", "string", is_nullable=False)]),
    )
    posts = [
        _field("title", "string", is_nullable=False),
        _field("state", "string", is_nullable=False, default_value="draft"),
        _field("rank", "integer", is_nullable=False, default_value=0),
        _field("shown", "boolean", is_nullable=False, default_value=False),
        _field("on", "boolean", is_nullable=False, default_value=True),
        {**_field("made", "timestamp"), "meta": {"special": ["date-created"]}},
        {**_field("noted", "text"), "meta": {"note": "A note"}},
        {**_field("pin", "string"), "meta": {"special": ["conceal"]}},
        _field("author", "uuid"),
        _alias("comments", "o2m"),
        _alias("tags", "m2m"),
        _alias("blocks", "m2a"),
        _alias("line", "no-data", "presentation"),
    ]
    yield "POST", "/collections", _collection("posts", "integer", posts)
    yield "POST", "/fields/authors", _alias("posts", "o2m")
    yield "POST", "/collections", _collection("comments", "integer", [_field("post", "integer")])
    yield "POST", "/collections", _collection("tags", "string", [_alias("posts", "m2m")])
    junction = [_field("posts_id", "integer"), _field("tags_id", "string")]
    yield "POST", "/collections", _collection("posts_tags", "integer", junction)
    yield "POST", "/collections", _collection("quotes", "integer", [_field("text", "text")])
    yield "POST", "/collections", _collection("numbers", "bigInteger", [_field("big", "bigInteger")])
    blocks = [_field("posts_id", "integer"), _field("item", "string"), _field("collection", "string")]
    yield "POST", "/collections", _collection("posts_blocks", "integer", blocks)
    yield (
        "POST",
        "/collections",
        _collection("site", "integer", [_field("tagline", "string")], singleton=True),
    )
    yield "POST", "/collections", _collection("not-a-name", "integer", [])
    yield from _relations()
    yield from _reader()


def _kinds() -> Iterator[dict[str, Any]]:
    for kind in KINDS:
        name = kind.lower()
        special = {"csv": ["cast-csv"], "json": ["cast-json"], "hash": ["hash", "conceal"]}.get(kind)
        yield {**_field(f"a_{name}", kind), "meta": {"special": special}}
        yield {**_field(f"the_{name}", kind, is_nullable=False), "meta": {"special": special}}


def _collection(name: str, key: str, fields: list[dict[str, Any]], **meta: Any) -> dict[str, Any]:
    schema = {"is_primary_key": True, "has_auto_increment": key in ("integer", "bigInteger")}
    first = {
        "field": "id",
        "type": key,
        "schema": schema,
        "meta": {"special": ["uuid"]} if key == "uuid" else {},
    }
    return {"collection": name, "schema": {}, "meta": meta, "fields": [first, *fields]}


def _field(name: str, kind: str, **schema: Any) -> dict[str, Any]:
    return {"field": name, "type": kind, "schema": schema, "meta": {}}


def _alias(name: str, *special: str) -> dict[str, Any]:
    return {"field": name, "type": "alias", "schema": None, "meta": {"special": [*special]}}


def _relations() -> Iterator[tuple[str, str, object]]:
    for collection, field, related, one_field, junction in (
        ("posts", "author", "authors", "posts", None),
        ("comments", "post", "posts", "comments", None),
        ("posts_tags", "posts_id", "posts", "tags", "tags_id"),
        ("posts_tags", "tags_id", "tags", "posts", "posts_id"),
        ("posts_blocks", "posts_id", "posts", "blocks", "item"),
    ):
        meta = {"one_field": one_field, "junction_field": junction}
        yield (
            "POST",
            "/relations",
            {
                "collection": collection,
                "field": field,
                "related_collection": related,
                "schema": {},
                "meta": meta,
            },
        )
    meta_any = {
        "one_allowed_collections": ["quotes", "numbers"],
        "one_collection_field": "collection",
        "junction_field": "posts_id",
    }
    body = {"collection": "posts_blocks", "field": "item", "related_collection": None, "meta": meta_any}
    yield "POST", "/relations", body


def _reader() -> Iterator[tuple[str, str, object]]:
    rules = [
        ("posts", "read", ["id", "title", "author", "comments", "rank", "made", "blocks"], {}),
        ("posts", "read", ["id", "title", "state"], {"state": {"_eq": "draft"}}),
        ("comments", "read", ["*"], {}),
        ("comments", "create", ["post"], {}),
        ("authors", "update", ["name"], {}),
        ("authors", "delete", [], {}),
        ("tags", "create", ["*"], {}),
        ("posts_blocks", "read", ["*"], {}),
        ("quotes", "read", ["*"], {}),
        ("site", "read", ["tagline"], {}),
        ("directus_files", "read", ["id", "title"], {}),
    ]
    permissions = [
        {"collection": collection, "action": action, "fields": fields, "permissions": rule}
        for collection, action, fields, rule in rules
    ]
    policy = "aaaaaaaa-0000-4000-8000-00000000000a"
    yield "POST", "/policies", {"id": policy, "name": "Reader"}
    yield "POST", "/permissions", [{**one, "policy": policy} for one in permissions]
    user = {"email": "reader@example.com", "token": READER, "policies": [{"policy": policy}]}
    yield "POST", "/users", user


# -- facts -------------------------------------------------------------------------------------------------


def schema_of(server: Server, path: str, token: str) -> GraphQLSchema:
    """What introspection says."""
    answer = call(server.url + path, "POST", json.dumps({"query": get_introspection_query()}), token=token)
    found: Any = answer.json
    if not answer.ok or "data" not in found:
        raise LoadError(f"{server.side}: introspection gave {answer.status}: {answer.body[:500]!r}")
    return build_client_schema(found["data"])


def facts(schema: GraphQLSchema) -> Facts:
    """Types, fields, arguments, enum values, union members, each with what it is."""
    found: dict[str, str] = {}
    for name, type_ in schema.type_map.items():
        if name.startswith("__") or is_specified_scalar_type(type_):
            continue
        found[name] = type(type_).__name__.removeprefix("GraphQL").removesuffix("Type")
        if isinstance(type_, GraphQLObjectType):
            for field, definition in type_.fields.items():
                found[f"{name}.{field}"] = str(definition.type)
                for argument, given in definition.args.items():
                    found[f"{name}.{field}({argument})"] = _input(given)
        elif isinstance(type_, GraphQLInputObjectType):
            for field, member in type_.fields.items():
                found[f"{name}.{field}"] = _input(member)
        elif isinstance(type_, GraphQLEnumType):
            found[f"{name} values"] = ", ".join(sorted(type_.values))
        elif isinstance(type_, GraphQLUnionType):
            found[f"{name} members"] = ", ".join(sorted(member.name for member in type_.types))
    return found


def _input(given: Any) -> str:
    # An undefined default prints as such.
    default = repr(given.default_value)
    return str(given.type) if default == "Undefined" else f"{given.type} = {default}"
