"""Another name for a field or a collection: one event, and everything that speaks of it follows.

Items keep their values and the log tells them again under the new name, so that whoever folds it needs to
know nothing of names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.errors import Forbidden, InvalidPayload
from domain.events import CollectionCreated, CollectionRenamed, FieldRenamed
from domain.model.naming import check_collection_name, check_field_name
from domain.model.renaming import FieldName
from domain.model.schema import CollectionKind
from projections.schema import ddl
from projections.schema.baseline import lock, tell_changes, tell_rows
from projections.schema.cascades import COLLECTIONS, FIELDS, PERMISSIONS, RELATIONS
from projections.schema.work import Work

_TABLES = (CollectionKind.TABLE, CollectionKind.PARTITIONED)
# Where a collection's name stands, beside its own row: the table, its column.
_BY_COLLECTION = (
    (FIELDS, "collection"),
    (RELATIONS, "many_collection"),
    (RELATIONS, "one_collection"),
    (PERMISSIONS, "collection"),
    ("directus_presets", "collection"),
    ("directus_shares", "collection"),
    ("directus_versions", "collection"),
    ("directus_comments", "collection"),
    ("directus_notifications", "collection"),
    (COLLECTIONS, "group"),
)


async def rename_collection_with_metadata(work: Work, old: str, new: Any) -> None:
    """Give a collection another name.

    Raises:
        Forbidden: for an unknown or a built-in collection.
        InvalidPayload: for a bad name or one in use, and for views, which Acta does not own.
    """
    entry = work.model.collection(old)
    if entry is None or entry.system:
        raise Forbidden()
    name = check_collection_name(new)
    if name in work.model.collections:
        raise InvalidPayload(f'Collection "{name}" already exists')
    work.about = (old, None)
    rows = await work.rows(COLLECTIONS, {"collection": old})
    if rows:
        # A row's key never changes in the log, so the row is made under the new name.
        await work.insert(COLLECTIONS, {**rows[0], "collection": name}, exact=True, silent=True)
    for table, column in _BY_COLLECTION:
        await work.update(table, {column: old}, {column: name}, silent=True)
    if rows:
        await work.delete(COLLECTIONS, {"collection": old}, silent=True)
    await follow_in_rows(work, old, name)
    await rename_collection(work, old, name)


async def rename_collection(work: Work, old: str, new: str, *, revert: int | None = None) -> None:
    """The table's part of it, and the event."""
    entry = work.model.collection(old)
    if entry is None or (entry.kind not in _TABLES and entry.kind is not CollectionKind.FOLDER):
        raise InvalidPayload(f'"{old}" can\'t be renamed')
    if entry.kind in _TABLES:
        await lock(work, entry)
        await work.run(ddl.rename_table(entry.schema, entry.table, new))
    await work.record(CollectionRenamed, old, name=new, revert=revert)
    table = await work.definition(entry.schema, new) if entry.kind in _TABLES else None
    document = {"collection": new, "meta": None, "ddl": table}
    await work.record(CollectionCreated, new, new=document, notes={"renamed": old})
    if table is not None:
        await tell_rows(work, (await work.reload()).collections[new])


async def follow_in_rows(work: Work, old: str, new: str) -> None:
    """Relations to any of several collections keep a collection's name in each row."""
    for relation in work.model.relations:
        meta = relation.meta
        if meta is None or meta.id is None or old not in (meta.one_allowed_collections or ()):
            continue
        names = ",".join(new if name == old else name for name in meta.one_allowed_collections or ())
        await work.update(RELATIONS, {"id": meta.id}, {"one_allowed_collections": names}, silent=True)
        owner = work.model.collection(relation.collection)
        column = meta.one_collection_field
        if owner is not None and column is not None and column in owner.columns and owner.name != old:
            await work.run(ddl.replace_value(owner.schema, owner.table, column, old, new))
            await tell_changes(work, owner, column)


async def rename_field_with_metadata(work: Work, collection: str, old: str, new: Any) -> None:
    """Give a field another name.

    Raises:
        Forbidden: for an unknown collection or field, or a built-in field.
        InvalidPayload: for a bad name or one in use.
    """
    owner = work.model.collection(collection)
    entry = owner and (owner.fields.get(old) or owner.leftovers.get(old))
    if owner is None or entry is None or entry.system:
        raise Forbidden()
    name = check_field_name(new)
    if name in owner.fields or name in owner.leftovers:
        raise InvalidPayload(f'Field "{name}" already exists in collection "{collection}"')
    work.about = (collection, old)
    await _follow(work, FieldName(work.model, collection, old, name))
    await rename_field(work, collection, old, name)


async def rename_field(work: Work, collection: str, old: str, new: str, *, revert: int | None = None) -> None:
    """The column's part of it, and the event."""
    owner = work.model.collections[collection]
    column = old in owner.columns
    if column:
        await lock(work, owner)
        await work.run(ddl.rename_column(owner.schema, owner.table, old, new))
    await work.record(FieldRenamed, collection, field=old, name=new, revert=revert)
    if column:
        await tell_changes(work, (await work.reload()).collections[collection], new)


async def _follow(work: Work, change: FieldName) -> None:
    """All metadata that speaks of the field."""
    collection, old, new = change.collection, change.old, change.new
    await work.update(FIELDS, {"collection": collection, "field": old}, {"field": new}, silent=True)
    await work.update(FIELDS, {"collection": collection, "group": old}, {"group": new}, silent=True)
    many, one = {"many_collection": collection}, {"one_collection": collection}
    for where, member in (
        (many, "many_field"),
        (one, "one_field"),
        (many, "junction_field"),
        (many, "sort_field"),
        (many, "one_collection_field"),
    ):
        await work.update(RELATIONS, {**where, member: old}, {member: new}, silent=True)
    for member in ("sort_field", "archive_field"):
        await work.update(COLLECTIONS, {"collection": collection, member: old}, {member: new}, silent=True)
    await _follow_collections(work, change)
    await _follow_fields(work, change)
    await _follow_permissions(work, change)
    await _follow_presets(work, change)


async def _follow_collections(work: Work, change: FieldName) -> None:
    for row in await work.rows(COLLECTIONS, {}):
        start = row["collection"]
        values = {
            "item_duplication_fields": change.paths(start, row["item_duplication_fields"]),
            "display_template": change.template(start, row["display_template"]),
        }
        await _changed(work, COLLECTIONS, {"collection": start}, row, values)


async def _follow_fields(work: Work, change: FieldName) -> None:
    for row in await work.rows(FIELDS, {}):
        values = {
            "validation": change.filter(row["collection"], row["validation"]),
            "conditions": change.conditions(row["collection"], row["conditions"]),
        }
        await _changed(work, FIELDS, {"id": row["id"]}, row, values)


async def _follow_permissions(work: Work, change: FieldName) -> None:
    for row in await work.rows(PERMISSIONS, {}):
        start = row["collection"]
        values = {name: change.filter(start, row[name]) for name in ("permissions", "validation", "presets")}
        if start == change.collection and row["fields"]:
            names = [change.new if one == change.old else one for one in row["fields"].split(",")]
            values["fields"] = ",".join(names)
        await _changed(work, PERMISSIONS, {"id": row["id"]}, row, values)


async def _follow_presets(work: Work, change: FieldName) -> None:
    for row in await work.rows("directus_presets", {}):
        start = row["collection"]
        if start is None:
            continue
        values: dict[str, Any] = {"filter": change.filter(start, row["filter"])}
        layouts = row["layout_query"]
        if isinstance(layouts, Mapping):
            values["layout_query"] = {name: _layout(change, start, one) for name, one in layouts.items()}
        await _changed(work, "directus_presets", {"id": row["id"]}, row, values)


def _layout(change: FieldName, start: str, layout: Any) -> Any:
    if not isinstance(layout, Mapping):
        return layout
    found = dict(layout)
    for member in ("fields", "sort"):
        value = found.get(member)
        found_value = change.path(start, value) if isinstance(value, str) else change.paths(start, value)
        if member in found:
            found[member] = found_value
    return found


async def _changed(
    work: Work, table: str, where: Mapping[str, Any], row: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    different = {name: value for name, value in values.items() if value != row[name]}
    await work.update(table, where, different, silent=True)
