"""The steps that make, change and remove collections, inside a command's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from domain.errors import Forbidden, InvalidPayload
from domain.events import CollectionCreated, CollectionDeleted, CollectionUpdated
from domain.model.drafts import CollectionDraft, FieldDraft
from domain.model.metadata_rows import COLLECTION_META, row_values
from domain.model.schema import Collection, CollectionKind
from projections.schema import cascades, ddl
from projections.schema.baseline import complete_log
from projections.schema.checks import add_checks
from projections.schema.work import Work

COLLECTIONS = "directus_collections"
FIELDS = "directus_fields"
_TABLES = (CollectionKind.TABLE, CollectionKind.PARTITIONED)


async def create_collection(work: Work, draft: CollectionDraft, taken: set[str]) -> None:
    """Make a table, a metadata row, or both. ``taken`` are names made earlier by the same command.

    Raises:
        InvalidPayload: for a name in use.
        Forbidden: when nothing at all is asked for.
    """
    if draft.name in work.model.collections or draft.name in taken:
        raise InvalidPayload(f'Collection "{draft.name}" already exists')
    if draft.fields is None and draft.meta is None:
        raise Forbidden()
    taken.add(draft.name)
    work.about = (draft.name, None)
    if draft.fields is not None:
        await _create_table(work, draft.name, draft.fields, draft.primary_key)
        await add_checks(work, work.home, draft.name, draft.checks)
    if draft.meta is not None:
        values = {**draft.meta, "collection": draft.name}
        await work.insert(COLLECTIONS, values)
    await work.record(CollectionCreated, draft.name, new=await definition(work, draft.name))


async def _create_table(work: Work, name: str, fields: Sequence[FieldDraft], key: Sequence[str]) -> None:
    columns = [field.column for field in fields if field.column is not None]
    await work.run(*ddl.create_table(work.home, name, columns, key, indexes=not work.concurrently))
    if work.concurrently:
        for column in columns:
            work.index_later(work.home, name, column)
    for field in fields:
        if field.meta is not None:
            await insert_field_row(work, name, field.name, field.meta)


async def insert_field_row(work: Work, collection: str, name: str, meta: Mapping[str, Any]) -> None:
    """The metadata row of a field; revisions show the members that were set and the name."""
    values = {**meta, "collection": collection, "field": name}
    await work.insert(FIELDS, values, fields=[*meta, "field"])


async def update_collection(work: Work, name: str, meta: Any) -> None:
    """Change the metadata row, or make it: this is how a table becomes tracked.

    Raises:
        Forbidden: for an unknown collection.
    """
    if name not in work.model.collections:
        raise Forbidden()
    if not isinstance(meta, Mapping):
        return
    work.about = (name, None)
    values = row_values(meta, COLLECTION_META)
    before = await work.rows(COLLECTIONS, {"collection": name})
    if before:
        await work.update(COLLECTIONS, {"collection": name}, values)
    else:
        await work.insert(COLLECTIONS, {**values, "collection": name})
    after = await work.rows(COLLECTIONS, {"collection": name})
    old, new = {"meta": before[0] if before else None}, {"meta": after[0]}
    if old != new:
        await work.record(CollectionUpdated, name, old=old, new=new)


async def delete_collection(work: Work, name: str) -> None:
    """Remove a collection with its rows, its metadata and what speaks of it.

    Raises:
        Forbidden: for an unknown or a built-in collection.
        InvalidPayload: for views, which Acta does not own.
    """
    entry = work.model.collection(name)
    if entry is None or entry.system:
        raise Forbidden()
    work.about = (name, None)
    old = await definition(work, name)
    if entry.kind in _TABLES:
        await complete_log(work, entry)
        await work.run(ddl.drop_table(entry.schema, entry.table))
    elif entry.kind is not CollectionKind.FOLDER:
        raise InvalidPayload(f'"{name}" is a {entry.kind.value.replace("_", " ")}: remove it in the database')
    await work.update(COLLECTIONS, {"group": name}, {"group": None}, silent=True)
    for related in ("directus_shares", "directus_versions"):
        await work.delete(related, {"collection": name}, silent=True)
    await work.delete(COLLECTIONS, {"collection": name})
    await work.delete(FIELDS, {"collection": name})
    for speaking in ("directus_presets", "directus_permissions"):
        await work.delete(speaking, {"collection": name}, silent=True)
    await cascades.relations_of_collection(work, entry)
    await cascades.duplication_paths(work, lambda owner, field: _leads_to(work, owner, field, name))
    await work.record(CollectionDeleted, name, old=old)


def _leads_to(work: Work, owner: str, field: str, name: str) -> bool:
    if owner == name:
        return True
    side = work.model.side(owner, field)
    if side is None:
        return False
    return name == (side.relation.collection if side.kind == "o2m" else side.relation.related)


async def definition(work: Work, name: str, *, table: str | None = None) -> dict[str, Any]:
    """What an event keeps of a collection: its metadata row and its table's definition."""
    entry: Collection | None = work.model.collection(name)
    schema = entry.schema if entry is not None else work.home
    rows = await work.rows(COLLECTIONS, {"collection": name})
    return {
        "collection": name,
        "meta": rows[0] if rows else None,
        "ddl": await work.definition(schema, table or (entry.table if entry and entry.table else name)),
    }
