"""Applying a diff of snapshots in one transaction, in an order in which each step finds what it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from psycopg import errors

from domain.errors import InvalidPayload
from domain.model.differences import applied
from domain.model.drafts import CollectionDraft, RelationDraft, relation_draft
from domain.model.exact import Types, exact_collection, exact_field
from domain.model.naming import MAX_IDENTIFIER
from domain.model.schema import Relation
from domain.model.schema_diff import check_members, whole_kind
from projections.schema import collections, ddl, fields, relations
from projections.schema.checks import change_checks
from projections.schema.exact import known_types, make_types
from projections.schema.work import Work

Entry = Mapping[str, Any]
Part = list[Any]

_UUID_LENGTH = 36


async def apply_diff(work: Work, current: Mapping[str, Any], diff: Mapping[str, Any]) -> None:
    """Make the changes; edits are replayed on the objects of ``current``, the snapshot they are meant for.

    Raises:
        InvalidPayload: for what can't be applied.
    """
    try:
        await _apply(work, current, diff)
    except errors.SyntaxError as error:
        # Of all that is run here, only the expressions of the diff are not our own.
        raise InvalidPayload(f"An expression can't be read: {error.diag.message_primary}") from error


async def _apply(work: Work, current: Mapping[str, Any], diff: Mapping[str, Any]) -> None:
    await make_types(work, diff["types"])
    targets = _targets(current, diff)
    types = await known_types(work, targets)
    made = await _create_collections(work, diff, types)
    await work.reload()
    await _delete_collections(work, diff)
    for entry in diff["collections"]:
        if whole_kind(entry) is None:
            before = _find(current["collections"], entry)
            after = _edited(before, entry)
            if _without_checks(before) != _without_checks(after):
                raise InvalidPayload(f'The table and the key of "{entry["collection"]}" can\'t be changed')
            await collections.update_collection(work, entry["collection"], after.get("meta"))
    await _change_fields(work, current, diff, made, types)
    for entry in diff["collections"]:
        if whole_kind(entry) is None:
            after = _edited(_find(current["collections"], entry), entry)
            await change_checks(work, entry["collection"], after.get("schema"))
    await work.reload()
    await _change_relations(work, current, diff)


def _without_checks(collection: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (collection.get("schema") or {}).items() if name != "checks"}


def _targets(current: Mapping[str, Any], diff: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The fields that are made or changed, as they are to be, and those changed as they are."""
    found = [_new(entry) for entry in diff["fields"] if whole_kind(entry) == "N"]
    for entry in diff["fields"]:
        if whole_kind(entry) is None:
            before = _find(current["fields"], entry)
            found += [before, _edited(before, entry)]
    return found


async def _create_collections(work: Work, diff: Mapping[str, Any], types: Types) -> set[str]:
    """New collections, those they are grouped under first; gives their names."""
    waiting = {entry["collection"]: entry for entry in diff["collections"] if whole_kind(entry) == "N"}
    made: set[str] = set()
    while waiting:
        ready = [name for name, entry in waiting.items() if _group(entry) not in waiting] or list(waiting)
        for name in ready:
            own = [one for one in diff["fields"] if one["collection"] == name and whole_kind(one) == "N"]
            draft = _draft(waiting.pop(name), own, types)
            await collections.create_collection(work, draft, made)
    return made


def _group(entry: Entry) -> Any:
    group = (_new(entry).get("meta") or {}).get("group")
    return group if isinstance(group, str) and group != entry["collection"] else None


def _draft(entry: Entry, own: list[Entry], types: Types) -> CollectionDraft:
    return exact_collection(_new(entry), [_uuid_key(_new(one)) for one in own], types)


def _uuid_key(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Other databases keep UUIDs in texts of 36 characters."""
    schema = body.get("schema")
    if isinstance(schema, Mapping) and schema.get("max_length") == _UUID_LENGTH:
        texts = ("char", "character", "varchar", "character varying", "nvarchar", "varchar2")
        key = schema.get("is_primary_key") or schema.get("foreign_key_table")
        if key and str(schema.get("data_type", "")).lower() in texts:
            return {**body, "type": "uuid"}
    return body


async def _delete_collections(work: Work, diff: Mapping[str, Any]) -> None:
    gone = [entry["collection"] for entry in diff["collections"] if whole_kind(entry) == "D"]
    for name in gone:
        for relation in work.model.relations:
            own = not (relation.meta and relation.meta.system)
            if own and name in (relation.collection, relation.related):
                await relations.delete_relation(work, relation.collection, relation.field)
        await work.reload()
    for name in gone:
        if name not in work.model.collections:
            raise InvalidPayload(f'The collection "{name}" is not there')
        await collections.delete_collection(work, name)
        await work.reload()


async def _change_fields(
    work: Work, current: Mapping[str, Any], diff: Mapping[str, Any], made: set[str], types: Types
) -> None:
    waiting = [
        entry for entry in diff["fields"] if not (entry["collection"] in made and whole_kind(entry) == "N")
    ]
    # What is removed and made again (alias to column) is removed first.
    replaced = {_key(entry) for entry in waiting if whole_kind(entry) == "D"}
    for entry in [one for one in waiting if _key(one) in replaced and whole_kind(one) == "D"]:
        await work.reload()
        await fields.delete_field(work, entry["collection"], entry["field"])
    for entry in waiting:
        kind = whole_kind(entry)
        if kind == "D":
            continue
        await work.reload()
        if kind == "N":
            draft = exact_field(_new(entry), types, entry["collection"])
            await fields.create_field(work, entry["collection"], draft)
        else:
            after = _edited(_find(current["fields"], entry), entry)
            body = {name: after[name] for name in ("field", "type", "meta", "schema") if name in after}
            await fields.update_field(work, entry["collection"], entry["field"], body, types)
    for entry in diff["systemFields"]:
        await work.reload()
        await fields.update_field(work, entry["collection"], entry["field"], {"schema": _indexed(entry)})


def _indexed(entry: Entry) -> dict[str, bool]:
    change = entry["diff"][0]
    if change["kind"] == "D":
        return {"is_indexed": False}
    value = change.get("rhs")
    if isinstance(value, Mapping):
        schema = value.get("schema")
        value = schema.get("is_indexed") if isinstance(schema, Mapping) else None
    return {"is_indexed": bool(value)}


async def _change_relations(work: Work, current: Mapping[str, Any], diff: Mapping[str, Any]) -> None:
    for entry in diff["relations"]:
        place = (entry["collection"], entry["field"])
        there = relations.find_relation(work.model, *place)
        kind = whole_kind(entry)
        if kind == "D":
            # Gone already when its field was removed above.
            if there is not None:
                await relations.delete_relation(work, *place)
        elif kind == "N":
            await relations.create_relation(work, _relation_draft(_new(entry)))
        elif there is not None:
            after = _edited(_find(current["relations"], entry), entry)
            schema = after.get("schema")
            loses_constraint = there.constraint is not None and schema is None
            if after.get("related_collection") != there.related or loses_constraint:
                await relations.delete_relation(work, *place)
                await work.reload()
                await relations.create_relation(work, _relation_draft(after))
            else:
                await _rename_constraint(work, there, schema)
                await relations.update_relation(work, *place, {"schema": schema, "meta": after.get("meta")})
        await work.reload()


async def _rename_constraint(work: Work, relation: Relation, schema: Any) -> None:
    name = _constraint_name(schema)
    if name is None or relation.constraint is None or relation.constraint.constraint == name:
        return
    owner = work.model.collections[relation.collection]
    await work.run(ddl.rename_constraint(owner.schema, owner.table, relation.constraint.constraint, name))
    await work.reload()


def _constraint_name(schema: Any) -> str | None:
    name = schema.get("constraint_name") if isinstance(schema, Mapping) else None
    return name if isinstance(name, str) and 0 < len(name.encode()) <= MAX_IDENTIFIER else None


def _relation_draft(target: Mapping[str, Any]) -> RelationDraft:
    schema = target.get("schema")
    draft = relation_draft(
        {
            "collection": target["collection"],
            "field": target["field"],
            "related_collection": target.get("related_collection"),
            "schema": schema,
            "meta": target.get("meta"),
        }
    )
    return replace(draft, name=_constraint_name(schema)) if schema else draft.without_constraint()


def _new(entry: Entry) -> Mapping[str, Any]:
    """What is to be made; its names are those of the entry."""
    return {
        **entry["diff"][0]["rhs"],
        **{name: entry[name] for name in ("collection", "field") if name in entry},
    }


def _key(entry: Entry) -> tuple[str, str]:
    return entry["collection"], entry["field"]


def _find(entries: Iterable[Mapping[str, Any]], entry: Entry) -> Mapping[str, Any]:
    names = [name for name in ("collection", "field") if name in entry]
    for one in entries:
        if all(one[name] == entry[name] for name in names):
            return one
    raise InvalidPayload(f'"{".".join(entry[name] for name in names)}" is to be changed, but is not there')


def _edited(before: Mapping[str, Any], entry: Entry) -> Mapping[str, Any]:
    try:
        after: Mapping[str, Any] = applied(before, entry["diff"])
    except (LookupError, TypeError, AttributeError) as error:
        raise InvalidPayload(f'The changes of "{entry["collection"]}" can\'t be applied: {error}') from None
    if not isinstance(after, Mapping):
        raise InvalidPayload(f'The changes of "{entry["collection"]}" leave no object')
    check_members(after, entry["collection"])
    return after
