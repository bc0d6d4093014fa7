"""What else speaks of a collection or field that goes, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from domain.events import FieldDeleted, RelationDeleted
from domain.model.schema import Collection, Field, Model, Relation
from projections.schema.work import Work

COLLECTIONS = "directus_collections"
FIELDS = "directus_fields"
PERMISSIONS = "directus_permissions"
RELATIONS = "directus_relations"

Goes = Callable[[str, str], bool]


async def relations_of_collection(work: Work, gone: Collection) -> None:
    """Relations of a collection that is gone: its own ones, those that point to it, those that list it."""
    from projections.schema.fields import delete_field

    for relation in work.model.relations:
        if relation.collection == gone.name:
            await forget_relation(work, relation, gone.name)
        elif relation.related == gone.name:
            # Without a constraint, or the table could not have been dropped.
            await delete_field(work, relation.collection, relation.field)
        elif (
            relation.meta and relation.meta.id and gone.name in (relation.meta.one_allowed_collections or ())
        ):
            left = [name for name in relation.meta.one_allowed_collections or () if name != gone.name]
            await work.update(
                RELATIONS, {"id": relation.meta.id}, {"one_allowed_collections": ",".join(left)}, silent=True
            )


async def forget_relation(work: Work, relation: Relation, gone: str) -> None:
    """The metadata row of a relation, and the alias on its other side, when the many side goes."""
    meta = relation.meta
    await work.record(
        RelationDeleted, relation.collection, field=relation.field, old=relation_document(relation)
    )
    if meta is None or meta.system:
        return
    await work.delete(
        RELATIONS, {"many_collection": relation.collection, "many_field": relation.field}, silent=True
    )
    one, alias = relation.related, meta.one_field
    if one and alias and one != gone:
        target = work.model.collection(one)
        entry = target.fields.get(alias) if target else None
        if entry is not None and entry.alias and not entry.system:
            await forget_field_row(work, entry)
            await work.record(
                FieldDeleted, one, field=alias, old={"field": alias, "meta": entry.meta, "ddl": None}
            )


async def forget_field_row(work: Work, entry: Field) -> None:
    """The metadata row of a field, and the rows of its collection that name it."""
    await work.delete(FIELDS, {"collection": entry.collection, "field": entry.name})
    await work.update(
        FIELDS, {"collection": entry.collection, "group": entry.name}, {"group": None}, silent=True
    )
    await duplication_paths(work, lambda owner, name: (owner, name) == (entry.collection, entry.name))
    for member in ("sort_field", "archive_field"):
        where = {"collection": entry.collection, member: entry.name}
        await work.update(COLLECTIONS, where, {member: None}, silent=True)
    for row in await work.rows(PERMISSIONS, {"collection": entry.collection}):
        names = (row["fields"] or "").split(",")
        if entry.name in names:
            left = ",".join(name for name in names if name != entry.name)
            await work.update(PERMISSIONS, {"id": row["id"]}, {"fields": left or None}, silent=True)


async def duplication_paths(work: Work, goes: Goes) -> None:
    """Take paths through fields that go out of ``item_duplication_fields``; an emptied list becomes null."""
    for entry in work.model.collections.values():
        paths = (entry.meta or {}).get("item_duplication_fields")
        if entry.system or not isinstance(paths, list):
            continue
        left = [
            path for path in paths if not any(goes(*step) for step in _steps(work.model, entry.name, path))
        ]
        if left != paths:
            values = {"item_duplication_fields": left or None}
            await work.update(COLLECTIONS, {"collection": entry.name}, values, silent=True)


def _steps(model: Model, collection: str, path: Any) -> Iterator[tuple[str, str]]:
    """The (collection, field) pairs a path leads through."""
    if not isinstance(path, str):
        return
    for part in path.split("."):
        name, _, chosen = part.partition(":")
        yield collection, name
        side = model.side(collection, name)
        if side is None:
            return
        target = side.relation.collection if side.kind == "o2m" else side.relation.related or chosen
        if not target:
            return
        collection = target


def relation_document(relation: Relation) -> dict[str, Any]:
    """What an event keeps of a relation's constraint; its metadata row has events of its own."""
    key = relation.constraint
    return {
        "related": relation.related,
        "constraint": key
        and {
            "name": key.constraint,
            "schema": key.schema,
            "table": key.table,
            "column": key.column,
            "on_update": key.on_update,
            "on_delete": key.on_delete,
        },
    }
