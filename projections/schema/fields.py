"""The steps that make, change and remove fields, inside a command's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.errors import Forbidden, InvalidPayload
from domain.events import FieldCreated, FieldDeleted, FieldUpdated
from domain.model.drafts import FieldDraft
from domain.model.exact import Types, sequence_of
from domain.model.field_changes import ColumnChanges, check_system_change, column_changes
from domain.model.metadata_rows import FIELD_META, row_values
from domain.model.naming import constraint_name
from domain.model.schema import Collection, Field, Model
from projections.schema import cascades, ddl
from projections.schema.baseline import complete_log, fill_log, tell_changes
from projections.schema.collections import FIELDS, insert_field_row
from projections.schema.definitions import Definition, column_definition
from projections.schema.work import Work


async def create_field(work: Work, collection: str, draft: FieldDraft) -> None:
    """Add a column, a metadata row, or both.

    Raises:
        InvalidPayload: for a field that is there.
        Forbidden: for an unknown collection.
    """
    owner = known(work, collection)
    if draft.name in owner.fields or draft.name in owner.leftovers:
        raise InvalidPayload(f'Field "{draft.name}" already exists in collection "{collection}"')
    if draft.empty:
        return
    work.about = (collection, None)
    filled = None
    if draft.column is not None:
        concurrently = work.concurrently
        await work.run(*ddl.add_column(owner.schema, owner.table, draft.column, indexes=not concurrently))
        if concurrently:
            work.index_later(owner.schema, owner.table, draft.column)
    if draft.meta is not None:
        meta = dict(draft.meta)
        if meta.get("sort") is None and not draft.exact:
            meta = {"sort": _next_position(owner, meta.get("group")), **_without(meta, "sort")}
        await insert_field_row(work, collection, draft.name, meta)
    new = await definition(work, owner, draft.name)
    if new["ddl"] is not None:
        filled = await fill_log(work, owner, draft.name, new["ddl"]["column"]["default"])
    await work.record(FieldCreated, collection, field=draft.name, new=new, filled=filled)


async def update_field(work: Work, collection: str, name: str, body: Any, types: Types | None = None) -> None:
    """Change column and metadata of a field. Whatever ``schema`` does not name stays as it is.

    With ``types`` (those of its columns) the body is a snapshot's field.

    Raises:
        Forbidden: for an unknown collection or field.
        InvalidPayload: for what can't be changed.
    """
    owner = known(work, collection)
    entry = owner.fields.get(name) or owner.leftovers.get(name)
    if entry is None:
        raise Forbidden()
    if not isinstance(body, Mapping):
        raise InvalidPayload('"value" must be of type object')
    work.about = (collection, name)
    if entry.system:
        check_system_change(body)
    changes = column_changes(owner, entry, body, types)
    old = await definition(work, owner, name)
    await _alter(work, owner, entry, changes)
    meta = body.get("meta")
    if isinstance(meta, Mapping) and not entry.system:
        await _update_row(work, entry, meta)
    new = await definition(work, owner, name)
    if old != new:
        await work.record(FieldUpdated, collection, field=name, old=old, new=new)


async def _update_row(work: Work, entry: Field, meta: Mapping[str, Any]) -> None:
    values = row_values(meta, FIELD_META)
    if entry.meta is not None:
        where = {"collection": entry.collection, "field": entry.name}
        await work.update(FIELDS, where, values, fields=["collection", "field", *values])
    else:
        await insert_field_row(work, entry.collection, entry.name, values)


async def _alter(work: Work, owner: Collection, entry: Field, changes: ColumnChanges) -> None:
    """Run the DDL of a field's changes, in an order in which each step can succeed."""
    place = (owner.schema, owner.table)
    name = entry.name
    if changes.type is not None:
        await complete_log(work, owner, name)
        if entry.column and entry.column.default and not entry.column.default.startswith("nextval("):
            # PostgreSQL would cast the default's expression implicitly, which fails where ours does not.
            await work.run(ddl.set_default(*place, name, None))
        await work.run(ddl.retype(*place, name, changes.type))
        if changes.keep_default is not None:
            await work.run(ddl.set_default(*place, name, changes.keep_default))
        await tell_changes(work, owner, name)
    if changes.default_changed:
        if sequence := sequence_of(changes.default):
            await work.run(ddl.create_sequence(owner.schema, sequence, exists=True))
        await work.run(ddl.set_default(*place, name, changes.default))
    if changes.nullable is not None:
        await work.run(ddl.set_nullable(*place, name, nullable=changes.nullable))
    await _alter_indexes(work, owner, name, changes)


async def _alter_indexes(work: Work, owner: Collection, name: str, changes: ColumnChanges) -> None:
    place = (owner.schema, owner.table)
    if changes.unique is True:
        if work.concurrently:
            work.one_index_later(*place, name, unique=True)
        else:
            await work.run(ddl.add_unique(*place, name))
    elif changes.unique is False:
        await work.run(ddl.drop_constraint(*place, await _constraint(work, owner, name)))
    if changes.indexed is True:
        if work.concurrently:
            work.one_index_later(*place, name, unique=False)
        else:
            await work.run(ddl.create_index(*place, name))
    elif changes.indexed is False:
        await work.run(ddl.drop_index(owner.schema, await _index(work, owner, name)))


async def _constraint(work: Work, owner: Collection, name: str) -> str:
    """The unique constraint on a column: by its conventional name, else the one that is there."""
    found = await work.definition(owner.schema, owner.table)
    names = [
        one["name"] for one in (found or {})["constraints"] if one["kind"] == "u" and one["columns"] == [name]
    ]
    conventional = constraint_name(owner.table, name, "unique")
    return conventional if conventional in names or not names else str(names[0])


async def _index(work: Work, owner: Collection, name: str) -> str:
    found = await work.definition(owner.schema, owner.table)
    names = [
        one["name"]
        for one in (found or {})["indexes"]
        if one["columns"] == [name] and not one["definition"].startswith("CREATE UNIQUE")
    ]
    conventional = constraint_name(owner.table, name, "index")
    return conventional if conventional in names or not names else str(names[0])


async def delete_field(work: Work, collection: str, name: str) -> None:
    """Remove a field: its column with the values, its metadata, its relation and what speaks of it.

    An unknown field is no error.

    Raises:
        Forbidden: for an unknown collection or a built-in field.
        InvalidPayload: for the primary key, without which the items could not be reached.
    """
    owner = known(work, collection)
    entry = owner.fields.get(name) or owner.leftovers.get(name)
    if entry is None:
        return
    if entry.system:
        raise Forbidden()
    if name in owner.primary_key:
        raise InvalidPayload(
            f'"{name}" is the primary key of collection "{collection}" and can\'t be removed'
        )
    work.about = (collection, name)
    old = await definition(work, owner, name)
    for relation in work.model.relations:
        if (relation.collection, relation.field) == (collection, name):
            await cascades.forget_relation(work, relation, "")
        elif (
            relation.meta
            and relation.meta.id
            and (relation.related, relation.one_field) == (collection, name)
        ):
            await work.update(cascades.RELATIONS, {"id": relation.meta.id}, {"one_field": None}, silent=True)
    if entry.column is not None:
        await complete_log(work, owner, name)
        await work.run(ddl.drop_column(owner.schema, owner.table, name))
    await cascades.forget_field_row(work, entry)
    await work.record(FieldDeleted, collection, field=name, old=old)


async def definition(work: Work, owner: Collection, name: str) -> dict[str, Any]:
    """What an event keeps of a field: its metadata row and its column's definition."""
    rows = await work.rows(FIELDS, {"collection": owner.name, "field": name})
    table: Definition | None = await work.definition(owner.schema, owner.table) if owner.table else None
    return {"field": name, "meta": rows[0] if rows else None, "ddl": column_definition(table, name)}


def known(work: Work, collection: str) -> Collection:
    """The collection, if there is one.

    Raises:
        Forbidden: when there is none.
    """
    return known_in(work.model, collection)


def known_in(model: Model, collection: str) -> Collection:
    """The collection of a model, if there is one.

    Raises:
        Forbidden: when there is none.
    """
    entry = model.collection(collection)
    if entry is None:
        raise Forbidden.collection(collection)
    return entry


def _next_position(owner: Collection, group: Any) -> int:
    rows = [entry.meta for entry in (*owner.fields.values(), *owner.leftovers.values()) if entry.meta]
    same = [row for row in rows if row.get("group") == group] if group is not None else []
    return max((row.get("sort") or 0 for row in same or rows), default=0) + 1


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}
