"""The operations of ``/graphql/system`` beside items: names, arguments, types, who has them (section 8)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from domain.access.rights import Action
from domain.graphql import kinds
from domain.graphql.definitions import Definitions, FieldDefinition, Members, TypeDefinition
from domain.graphql.outline import Outline

Who = Literal["any", "admin"] | tuple[str, Action]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; ``who`` is anybody, administrators, or those who may do something with a collection."""

    type: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    who: Who = "any"
    defaults: Mapping[str, Any] = field(default_factory=dict)


_IN_COLLECTION = {"collection": "String!"}
_IN_FIELD = {"collection": "String!", "field": "String!"}
_INDEX = {"concurrentIndexCreation": "Boolean"}
_INDEX_DEFAULT = {"concurrentIndexCreation": False}

QUERIES: Mapping[str, Operation] = {
    "server_ping": Operation("String"),
    "server_info": Operation("server_info"),
    "server_health": Operation("JSON"),
    "server_specs_oas": Operation("JSON"),
    "server_specs_graphql": Operation("String", {"scope": "graphql_sdl_scope"}),
    "collections": Operation("[directus_collections!]!", who=("directus_collections", "read")),
    "collections_by_name": Operation(
        "directus_collections", {"name": "String!"}, ("directus_collections", "read")
    ),
    "fields": Operation("[directus_fields!]!", who=("directus_fields", "read")),
    "fields_in_collection": Operation("[directus_fields!]!", _IN_COLLECTION, ("directus_fields", "read")),
    "fields_by_name": Operation("directus_fields", _IN_FIELD, ("directus_fields", "read")),
    "relations": Operation("[directus_relations!]!", who=("directus_relations", "read")),
    "relations_in_collection": Operation(
        "[directus_relations!]!", _IN_COLLECTION, ("directus_relations", "read")
    ),
    "relations_by_name": Operation("directus_relations", _IN_FIELD, ("directus_relations", "read")),
    "extensions": Operation("[directus_extensions!]!", who="admin"),
    "users_me": Operation("directus_users", who=("directus_users", "read")),
    "permissions_me": Operation("permissions_me_type", who=("directus_permissions", "read")),
    "roles_me": Operation("[directus_roles]", who=("directus_roles", "read")),
    "policies_me_globals": Operation("policy_me_globals_type", who=("directus_policies", "read")),
}

MUTATIONS: Mapping[str, Operation] = {
    "auth_login": Operation(
        "auth_tokens", {"email": "String!", "password": "String!", "mode": "auth_mode", "otp": "String"}
    ),
    "auth_refresh": Operation("auth_tokens", {"refresh_token": "String", "mode": "auth_mode"}),
    "auth_logout": Operation("Boolean", {"refresh_token": "String", "mode": "auth_mode"}),
    "auth_password_request": Operation("Boolean", {"email": "String!", "reset_url": "String"}),
    "auth_password_reset": Operation("Boolean", {"token": "String!", "password": "String!"}),
    "users_me_tfa_generate": Operation("users_me_tfa_generate_data", {"password": "String!"}),
    "users_me_tfa_enable": Operation("Boolean", {"otp": "String!", "secret": "String!"}),
    "users_me_tfa_disable": Operation("Boolean", {"otp": "String!"}),
    "utils_random_string": Operation("String", {"length": "Int"}),
    "utils_hash_generate": Operation("String", {"string": "String!"}),
    "utils_hash_verify": Operation("Boolean", {"string": "String!", "hash": "String!"}),
    "utils_sort": Operation("Boolean", {"collection": "String!", "item": "ID!", "to": "ID!"}),
    "utils_revert": Operation("Boolean", {"revision": "ID!"}),
    "utils_cache_clear": Operation("Void"),
    "users_invite_accept": Operation("Boolean", {"token": "String!", "password": "String!"}),
    "users_register": Operation(
        "Boolean",
        {
            "email": "String!",
            "password": "String!",
            "verification_url": "String",
            "first_name": "String",
            "last_name": "String",
        },
    ),
    "users_register_verify": Operation("Boolean", {"token": "String!"}),
    "update_users_me": Operation(
        "directus_users", {"data": "update_directus_users_input"}, ("directus_users", "update")
    ),
    "users_invite": Operation(
        "Boolean",
        {"email": "String!", "role": "String!", "invite_url": "String"},
        ("directus_users", "create"),
    ),
    "import_file": Operation(
        "directus_files",
        {"url": "String!", "data": "create_directus_files_input"},
        ("directus_files", "create"),
    ),
    "create_collections_item": Operation(
        "write_directus_collections",
        {"data": "write_directus_collections_input!", **_INDEX},
        "admin",
        _INDEX_DEFAULT,
    ),
    "update_collections_item": Operation(
        "write_directus_collections",
        {**_IN_COLLECTION, "data": "write_directus_collections_input!"},
        "admin",
    ),
    "delete_collections_item": Operation("delete_collection", _IN_COLLECTION, "admin"),
    "create_fields_item": Operation(
        "write_directus_fields",
        {**_IN_COLLECTION, "data": "write_directus_fields_input!", **_INDEX},
        "admin",
        _INDEX_DEFAULT,
    ),
    "update_fields_item": Operation(
        "write_directus_fields",
        {**_IN_FIELD, "data": "write_directus_fields_input!", **_INDEX},
        "admin",
        _INDEX_DEFAULT,
    ),
    "update_fields_items": Operation(
        "write_directus_fields",
        {**_IN_COLLECTION, "data": "[write_directus_fields_input!]", **_INDEX},
        "admin",
        _INDEX_DEFAULT,
    ),
    "delete_fields_item": Operation("delete_field", _IN_FIELD, "admin"),
    "create_relations_item": Operation(
        "write_directus_relations", {"data": "write_directus_relations_input!"}, "admin"
    ),
    "update_relations_item": Operation(
        "write_directus_relations", {**_IN_FIELD, "data": "write_directus_relations_input!"}, "admin"
    ),
    "delete_relations_item": Operation("delete_relation", _IN_FIELD, "admin"),
    "update_extensions_item": Operation(
        "directus_extensions", {"id": "ID", "data": "update_directus_extensions_inputInput"}, "admin"
    ),
}

_PROJECT = (
    "project_name", "project_descriptor", "project_logo", "project_color", "default_language",
    "public_foreground", "public_background", "public_note", "custom_css",
)  # fmt: skip
_COLUMN = {
    "name": "String", "table": "String", "data_type": "String", "default_value": "String",
    "max_length": "Int", "numeric_precision": "Int", "numeric_scale": "Int", "is_generated": "Boolean",
    "generation_expression": "String", "is_indexed": "Boolean", "is_nullable": "Boolean",
    "is_unique": "Boolean", "is_primary_key": "Boolean", "has_auto_increment": "Boolean",
    "foreign_key_column": "String", "foreign_key_table": "String", "comment": "String",
}  # fmt: skip
_CONSTRAINT = {
    "table": "String!", "column": "String!", "foreign_key_table": "String!", "foreign_key_column": "String!",
    "constraint_name": "String", "on_update": "String!", "on_delete": "String!",
}  # fmt: skip
_OBJECTS: Mapping[str, Mapping[str, str]] = {
    "server_info": {
        "project": "server_info_project",
        "rateLimit": "server_info_rate_limit",
        "rateLimitGlobal": "server_info_rate_limit_global",
        "websocket": "server_info_websocket",
        "queryLimit": "server_info_query_limit",
    },
    "server_info_project": {
        **dict.fromkeys(_PROJECT, "String"),
        "public_registration": "Boolean",
        "public_registration_verify_email": "Boolean",
    },
    "server_info_rate_limit": {"points": "Int", "duration": "Int"},
    "server_info_rate_limit_global": {"points": "Int", "duration": "Int"},
    "server_info_websocket": {
        "rest": "server_info_websocket_rest",
        "graphql": "server_info_websocket_graphql",
        "heartbeat": "Int",
    },
    "server_info_websocket_rest": {
        "authentication": "server_info_websocket_rest_authentication",
        "path": "String",
    },
    "server_info_websocket_graphql": {
        "authentication": "server_info_websocket_graphql_authentication",
        "path": "String",
    },
    "server_info_query_limit": {"default": "Int", "max": "Int"},
    "auth_tokens": {"access_token": "String", "expires": "GraphQLBigInt", "refresh_token": "String"},
    "users_me_tfa_generate_data": {"secret": "String", "otpauth_url": "String"},
    "policy_me_globals_type": {"enforce_tfa": "Boolean", "app_access": "Boolean", "admin_access": "Boolean"},
    "delete_collection": {"collection": "String"},
    "delete_field": {"collection": "String", "field": "String"},
    "delete_relation": {"collection": "String", "field": "String"},
    "directus_extensions": {
        "bundle": "String",
        "name": "String!",
        "schema": "directus_extensions_schema",
        "meta": "directus_extensions_meta",
    },
    "directus_extensions_schema": {"type": "String", "local": "Boolean"},
    "directus_extensions_meta": {"enabled": "Boolean"},
}
_INPUTS: Mapping[str, Mapping[str, str]] = {
    "update_directus_extensions_inputInput": {"meta": "update_directus_extensions_input_metaInput"},
    "update_directus_extensions_input_metaInput": {"enabled": "Boolean"},
}
_SIGNING_IN = ("public", "handshake", "strict")
_ENUMS = {
    "auth_mode": ("json", "cookie", "session"),
    "graphql_sdl_scope": ("items", "system"),
    "server_info_websocket_rest_authentication": _SIGNING_IN,
    "server_info_websocket_graphql_authentication": _SIGNING_IN,
}


def operations(outline: Outline, table: Mapping[str, Operation]) -> Iterator[tuple[str, Operation]]:
    """The operations of a table that a caller has."""
    for name, operation in table.items():
        who = operation.who
        if who == "any" or outline.rights.admin or (isinstance(who, tuple) and outline.rights.may(*who)):
            yield name, operation


def add_operations(outline: Outline, found: Definitions, off: Collection[str]) -> None:
    """Add the operations and their types to the definitions of a schema.

    ``off`` are the members of `server_info`, by type and name, of what this server does not do: each is
    then but a Boolean.
    """
    found.update(_types(outline, off))
    for root, table in (("Query", QUERIES), ("Mutation", MUTATIONS)):
        added = {
            name: FieldDefinition(operation.type, operation.arguments, None, operation.defaults)
            for name, operation in operations(outline, table)
            if _known(operation, found)
        }
        found[root] = TypeDefinition("object", _Joined(found.get(root), added))


class _Joined:
    """The members of a root type with those of operations."""

    def __init__(self, own: TypeDefinition | None, added: Members) -> None:
        self._own = own
        self._added = added

    def __call__(self) -> Members:
        return {**(self._own.members() if self._own else {}), **self._added}


def _known(operation: Operation, found: Definitions) -> bool:
    """Whether the types an operation speaks of are there for the caller."""
    types = [operation.type, *operation.arguments.values()]
    named = [name.strip("[]!") for name in types]
    return all(name in found or not name.startswith(_MADE) for name in named)


_MADE = ("directus_", "create_", "update_")


def _types(outline: Outline, off: Collection[str]) -> Definitions:
    found: Definitions = {
        name: _object(
            "object",
            {key: "Boolean" if f"{name}.{key}" in off else type_ for key, type_ in members.items()},
        )
        for name, members in _OBJECTS.items()
    }
    found |= {name: _object("input", members) for name, members in _INPUTS.items()}
    found |= {name: _object("enum", dict.fromkeys(members, "")) for name, members in _ENUMS.items()}
    found["permissions_me_type"] = TypeDefinition("scalar", dict)
    bodies: tuple[tuple[str, Mapping[str, str], Mapping[str, str]], ...] = (
        ("collections", {"collection": "String"}, {"name": "String", "comment": "String"}),
        ("fields", {"collection": "String", "field": "String", "type": "String"}, _COLUMN),
        (
            "relations",
            {"collection": "String", "field": "String", "related_collection": "String"},
            _CONSTRAINT,
        ),
    )
    for name, own, table in bodies:
        meta = _meta(outline, f"directus_{name}")
        required = {key: f"{type_}!" if needed else type_ for key, (type_, needed) in meta.items()}
        optional = {key: type_ for key, (type_, _) in meta.items()}
        for prefix, suffix, fields in (
            ("", "", optional if name == "relations" else required),
            ("write_", "", optional),
            ("write_", "_input", optional),
        ):
            kind: Literal["object", "input"] = "input" if suffix else "object"
            base = f"{prefix}directus_{name}"
            members = {**own, "meta": f"{base}_meta{suffix}", "schema": f"{base}_schema{suffix}"}
            if suffix and name == "collections":
                members["fields"] = "[write_directus_fields_input!]"
            found[f"{base}{suffix}"] = _object(kind, members)
            found[f"{base}_meta{suffix}"] = _object(kind, fields)
            columns = {key: type_.rstrip("!") for key, type_ in table.items()} if suffix else table
            found[f"{base}_schema{suffix}"] = _object(kind, columns)
    return found


def _object(kind: Literal["object", "input", "enum"], members: Mapping[str, str]) -> TypeDefinition:
    fields = {name: FieldDefinition(type_) for name, type_ in members.items()}
    return TypeDefinition(kind, lambda: fields)


def _meta(outline: Outline, name: str) -> Mapping[str, tuple[str, bool]]:
    """The columns of a metadata collection: their types, and whether they are always there."""
    collection = outline.model.collection(name)
    if collection is None:
        return {"id": ("Int", False)}
    return {
        key: (kinds.scalar(collection.fields[key]), not column.nullable and key != "id")
        for key, column in collection.columns.items()
    }
