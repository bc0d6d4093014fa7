"""The OpenAPI description of REST, reduced to what a caller may do: a plain document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from domain.access.rights import Action, Rights
from domain.model.schema import Collection, Field, Model

Object = dict[str, Any]

_TYPES: Mapping[str, Object] = {
    "integer": {"type": "integer"},
    "bigInteger": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "float"},
    "decimal": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "dateTime": {"type": "string", "format": "date-time"},
    "timestamp": {"type": "string", "format": "timestamp"},
    "time": {"type": "string", "format": "time"},
    "uuid": {"type": "string", "format": "uuid"},
    "binary": {"type": "string", "format": "binary"},
    "csv": {"type": "array", "items": {"type": "string"}},
    "json": {},
    "string": {"type": "string"},
    "text": {"type": "string"},
    "hash": {"type": "string"},
}
_LIST = ("Fields", "Limit", "Meta", "Offset", "Sort", "Filter", "Search")
_PARAMETERS: Mapping[str, tuple[str, Object]] = {
    "Fields": ("fields", {"type": "array", "items": {"type": "string"}}),
    "Limit": ("limit", {"type": "integer"}),
    "Meta": ("meta", {"type": "string"}),
    "Offset": ("offset", {"type": "integer"}),
    "Page": ("page", {"type": "integer"}),
    "Sort": ("sort", {"type": "array", "items": {"type": "string"}}),
    "Filter": ("filter", {"type": "object"}),
    "Search": ("search", {"type": "string"}),
    "Version": ("version", {"type": "string"}),
}
_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
}
_REFUSED = {"401": {"$ref": "#/components/responses/UnauthorizedError"}}
_MISSING = {"404": {"$ref": "#/components/responses/NotFoundError"}}


def specification(model: Model, rights: Rights, url: str, version: str, paths: Mapping[str, str]) -> Object:
    """The document. ``paths`` are the paths of system collections by name; others are below ``/items``."""
    found: Object = {}
    schemas: Object = {}
    tags: list[Object] = []
    places = {
        name: paths.get(name) if entry.system else f"/items/{name}"
        for name, entry in model.collections.items()
        if entry.table and rights.may(name, "read")
    }
    shown = {name: path for name, path in places.items() if path is not None}
    for name, path in shown.items():
        collection = model.collections[name]
        tag = tag_of(collection)
        tags.append(_described({"name": tag, "x-collection": collection.name}, collection.meta))
        schemas[tag] = _schema(model, rights, collection, shown)
        found.update(_paths(rights, collection, path, tag))
    return {
        "openapi": "3.0.1",
        "info": {"title": "Dynamic API Specification", "version": version},
        "servers": [{"url": url, "description": "Your current instance."}],
        "paths": found,
        "tags": tags,
        "components": {
            "schemas": {**schemas, "x-metadata": _METADATA},
            "responses": {
                "NotFoundError": _response("Error: Not found."),
                "UnauthorizedError": _response("Error: Unauthorized request"),
            },
            "parameters": {
                name: {"name": parameter, "in": "query", "required": False, "schema": schema}
                for name, (parameter, schema) in _PARAMETERS.items()
            },
            "securitySchemes": {
                "Auth": {"type": "apiKey", "in": "header", "name": "Authorization"},
                "KeyAuth": {"type": "apiKey", "in": "query", "name": "access_token"},
            },
        },
        "security": [{"KeyAuth": []}, {"Auth": []}],
    }


_METADATA = {
    "type": "object",
    "properties": {"total_count": {"type": "integer"}, "filter_count": {"type": "integer"}},
}


def tag_of(collection: Collection) -> str:
    """``cf_srv_items`` is ``ItemsCfSrvItems``, ``directus_users`` is ``Users``."""
    words = re.split(r"[^A-Za-z0-9]+", collection.name.removeprefix("directus_"))
    name = "".join(word[:1].upper() + word[1:] for word in words)
    return name if collection.system else f"Items{name}"


def _schema(model: Model, rights: Rights, collection: Collection, shown: Mapping[str, str]) -> Object:
    fields = {
        name: field
        for name, field in collection.item_fields.items()
        if _permitted(rights, collection.name, name, "read")
    }
    required = [
        name
        for name, field in fields.items()
        if field.column is not None and not field.column.nullable and not field.column.has_default
    ]
    schema: Object = {
        "type": "object",
        "properties": {name: _property(model, field, shown) for name, field in fields.items()},
        "x-collection": collection.name,
    }
    return {**schema, "required": required} if required else schema


def _property(model: Model, field: Field, shown: Mapping[str, str]) -> Object:
    own: Object = {"nullable": field.column is None or field.column.nullable}
    _described(own, field.meta)
    plain = dict(_TYPES.get(field.type, {"type": "string"}))
    side = model.side(field.collection, field.name)
    if side is None or side.kind == "a2o":
        return {**own, **(plain if not field.alias else {"type": "array", "items": {"type": "string"}})}
    target = model.collection(str(side.relation.related if side.kind == "m2o" else side.relation.collection))
    if target is None or target.name not in shown:
        return {**own, **(plain if side.kind == "m2o" else {"type": "array", "items": {"type": "string"}})}
    reference = {"$ref": f"#/components/schemas/{tag_of(target)}"}
    if side.kind == "m2o":
        return {**own, "oneOf": [plain, reference]}
    key = target.fields[target.primary_key[0]].type if target.primary_key else "string"
    return {**own, "type": "array", "items": {"oneOf": [dict(_TYPES.get(key, {})), reference]}}


def _paths(rights: Rights, collection: Collection, path: str, tag: str) -> Iterator[tuple[str, Object]]:
    tags = ["Items", tag] if not collection.system else [tag]
    one = {"$ref": f"#/components/schemas/{tag}"}
    item = {"type": "object", "$ref": one["$ref"]}
    either = _content({"oneOf": [{"type": "array", "items": one}, one]})
    many = _answer({"type": "object", "properties": {"data": {"type": "array", "items": one}}})
    metadata = {"$ref": "#/components/schemas/x-metadata"}
    listed = _answer(
        {"type": "object", "properties": {"data": {"type": "array", "items": item}, "meta": metadata}}
    )
    single = _answer({"type": "object", "properties": {"data": item}})
    all_of, one_of = {**_REFUSED}, {**_REFUSED, **_MISSING}

    def operation(verb: str, parameters: list[Object], **more: Any) -> Object:
        return {"tags": tags, "operationId": f"{verb}{tag}", "parameters": parameters, **more}

    changed = _answer({"properties": {"data": {"type": "array", "items": one}}})
    lists: Object = {}
    items: Object = {}
    if _may(rights, collection, "create"):
        lists["post"] = operation("create", _refs("Meta"), requestBody=either, responses={**many, **all_of})
    lists["get"] = operation("read", _refs(*_LIST), security=[{"Auth": []}], responses={**listed, **all_of})
    items["get"] = operation(
        "readSingle", [*_refs("Fields", "Meta", "Version"), _ID], responses={**single, **one_of}
    )
    if _may(rights, collection, "update"):
        lists["patch"] = operation("update", _refs(*_LIST), requestBody=either, responses=changed)
        items["patch"] = operation(
            "updateSingle",
            [*_refs("Fields", "Meta"), _ID],
            requestBody=_content(item),
            responses={**single, **one_of},
        )
    if _may(rights, collection, "delete"):
        lists["delete"] = operation("delete", [], responses={"200": _success(), **all_of})
        items["delete"] = operation("deleteSingle", [_ID], responses={"200": _success(), **one_of})
    yield path, lists
    if not collection.singleton:
        yield f"{path}/{{id}}", items


def _may(rights: Rights, collection: Collection, action: Action) -> bool:
    return collection.writable and rights.may(collection.name, action)


def _permitted(rights: Rights, collection: str, field: str, action: Action) -> bool:
    return rights.admin or any(rule.covers(field) for rule in rights.of(collection, action))


def _refs(*names: str) -> list[Object]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _content(schema: Object) -> Object:
    return {"content": {"application/json": {"schema": schema}}}


def _success() -> Object:
    return {"description": "Successful request"}


def _answer(schema: Object) -> Object:
    return {"200": {**_success(), **_content(schema)}}


def _response(text: str) -> Object:
    error = {"type": "object", "properties": {"errors": {"type": "array", "items": {"type": "object"}}}}
    return {"description": text, **_content(error)}


def _described(found: Object, meta: Mapping[str, Any] | None) -> Object:
    note = (meta or {}).get("note")
    if note:
        found["description"] = note
    return found
