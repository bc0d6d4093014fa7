"""The steps that make, change and remove relations, inside a command's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.errors import InvalidPayload
from domain.events import Event, RelationCreated, RelationDeleted, RelationUpdated
from domain.model.drafts import ReferenceAction, RelationDraft, reference_actions
from domain.model.metadata_rows import RELATION_META, row_values
from domain.model.schema import Collection, Model, Relation
from projections.schema import ddl
from projections.schema.cascades import RELATIONS, relation_document
from projections.schema.work import Work


def find_relation(model: Model, collection: str, field: str) -> Relation | None:
    """The relation whose many side is this field."""
    for relation in model.relations:
        if (relation.collection, relation.field) == (collection, field):
            return relation
    return None


async def create_relation(work: Work, draft: RelationDraft) -> None:
    """Add a constraint (unless any-to-one) and a metadata row.

    Raises:
        InvalidPayload: see the contract's checks, in its order.
    """
    owner = _check(work.model, draft)
    work.about = (draft.collection, draft.field)
    if draft.related is not None and draft.constraint:
        target = work.model.collections[draft.related]
        actions = (draft.on_update, draft.on_delete)
        await work.run(_foreign_key(owner, draft.field, target, actions, draft.name))
    values = {
        **draft.meta,
        "many_collection": draft.collection,
        "many_field": draft.field,
        "one_collection": draft.related,
    }
    await work.insert(RELATIONS, values, silent=True)
    await _changed(work, RelationCreated, draft.collection, draft.field, None)


def _check(model: Model, draft: RelationDraft) -> Collection:
    owner = model.collection(draft.collection)
    if owner is None:
        raise InvalidPayload(f'Collection "{draft.collection}" doesn\'t exist')
    entry = owner.fields.get(draft.field)
    if entry is None:
        raise InvalidPayload(f'Field "{draft.field}" doesn\'t exist in collection "{draft.collection}"')
    if draft.field in owner.primary_key and len(owner.primary_key) == 1:
        raise InvalidPayload(f'Field "{draft.field}" in collection "{draft.collection}" is a primary key')
    if draft.related is not None and draft.related not in model.collections:
        raise InvalidPayload(f'Collection "{draft.related}" doesn\'t exist')
    if find_relation(model, draft.collection, draft.field) is not None:
        raise InvalidPayload(
            f'Field "{draft.field}" in collection "{draft.collection}" already has a relation'
        )
    if draft.related is not None and draft.constraint and entry.column is None:
        raise InvalidPayload(f'Field "{draft.field}" in collection "{draft.collection}" has no column')
    return owner


def _foreign_key(
    owner: Collection,
    field: str,
    target: Collection,
    actions: tuple[ReferenceAction, ReferenceAction],
    name: str | None = None,
) -> ddl.Statement:
    if len(target.primary_key) != 1:
        raise InvalidPayload(f'Collection "{target.name}" has no primary key of one column')
    place = (target.schema, target.table, target.primary_key[0])
    return ddl.add_foreign_key((owner.schema, owner.table), field, place, actions, name)


async def update_relation(work: Work, collection: str, field: str, body: Any) -> None:
    """Change the actions of the constraint and the metadata row.

    A body that repeats ``related_collection`` is the whole definition: without ``schema`` the actions are the
    default ones. Any other body leaves what it does not name.

    Raises:
        InvalidPayload: for no relation, or a built-in one.
    """
    if not isinstance(body, Mapping):
        raise InvalidPayload('"value" must be of type object')
    relation = _existing(work.model, collection, field)
    owner = work.model.collections[collection]
    work.about = (collection, field)
    old = relation_document(relation)
    await _update_constraint(work, owner, relation, body)
    meta = body.get("meta")
    values = row_values(meta if isinstance(meta, Mapping) else {}, RELATION_META)
    if relation.meta is not None:
        await work.update(RELATIONS, {"id": relation.meta.id}, values, silent=True)
    else:
        keys = {"many_collection": collection, "many_field": field, "one_collection": relation.related}
        await work.insert(RELATIONS, {**values, **keys}, silent=True)
    await _changed(work, RelationUpdated, collection, field, old)


async def _update_constraint(
    work: Work, owner: Collection, relation: Relation, body: Mapping[str, Any]
) -> None:
    key = relation.constraint
    if relation.related is None or relation.related not in work.model.collections:
        return
    whole = "related_collection" in body
    kept = {} if key is None or whole else {"on_update": key.on_update, "on_delete": key.on_delete}
    actions = reference_actions(_laid_over(kept, body.get("schema")))
    if key is not None and actions == (key.on_update, key.on_delete):
        return
    if key is not None:
        await work.run(ddl.drop_constraint(owner.schema, owner.table, key.constraint))
    elif body.get("schema") is None:
        return  # a relation without a constraint gets one only when asked for
    target = work.model.collections[relation.related]
    name = key.constraint if key else None
    await work.run(_foreign_key(owner, relation.field, target, actions, name))


def _laid_over(kept: Mapping[str, Any], schema: Any) -> Any:
    if schema is None:
        return kept
    return {**kept, **schema} if isinstance(schema, Mapping) else schema


async def delete_relation(work: Work, collection: str, field: str) -> None:
    """Remove constraint and metadata row; the column and the alias of the other side stay.

    Raises:
        InvalidPayload: for no relation, or a built-in one.
    """
    relation = _existing(work.model, collection, field)
    owner = work.model.collections[collection]
    work.about = (collection, field)
    if relation.constraint is not None:
        await work.run(ddl.drop_constraint(owner.schema, owner.table, relation.constraint.constraint))
    await work.delete(RELATIONS, {"many_collection": collection, "many_field": field}, silent=True)
    await work.record(RelationDeleted, collection, field=field, old=relation_document(relation))


def _existing(model: Model, collection: str, field: str) -> Relation:
    owner = model.collection(collection)
    if owner is None:
        raise InvalidPayload(f'Collection "{collection}" doesn\'t exist')
    if field not in owner.fields:
        raise InvalidPayload(f'Field "{field}" doesn\'t exist in collection "{collection}"')
    relation = find_relation(model, collection, field)
    if relation is None:
        raise InvalidPayload(f'Field "{field}" in collection "{collection}" has no relation')
    if relation.meta is not None and relation.meta.system:
        raise InvalidPayload(f'The relation of "{field}" in collection "{collection}" is built in')
    return relation


async def _changed(
    work: Work, kind: type[Event], collection: str, field: str, old: dict[str, Any] | None
) -> None:
    relation = find_relation(await work.reload(), collection, field)
    assert relation is not None
    documents: dict[str, Any] = {"new": relation_document(relation)}
    if old is not None:
        documents["old"] = old
    await work.record(kind, collection, field=field, **documents)
