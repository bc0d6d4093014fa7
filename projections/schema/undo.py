"""Taking a schema command back: every event of its transaction is met by its opposite, the last one first.

The metadata rows a command wrote or removed are events like all others, so what it did to fields, relations,
permissions and presets is known one by one. The definitions in schema events make tables and columns again,
the item events fill them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from domain.errors import InvalidPayload
from domain.events import (
    CollectionCreated,
    CollectionDeleted,
    CollectionUpdated,
    FieldCreated,
    FieldDeleted,
    FieldUpdated,
    RelationCreated,
    RelationDeleted,
    RelationUpdated,
)
from domain.model.schema import Collection, CollectionKind
from projections.log.archived import last_archived
from projections.schema import ddl, remake
from projections.schema.baseline import (
    complete_log,
    refill_column,
    refill_converted,
    refill_table,
    remember_converted,
    tell_changes,
    tell_rows,
)
from projections.schema.cascades import relation_document
from projections.schema.checks import set_checks
from projections.schema.definitions import Definition, column_definition
from projections.schema.relations import find_relation
from projections.schema.rename import follow_in_rows, rename_collection, rename_field
from projections.schema.work import Work
from projections.sql import load

_STATEMENTS = load("schema/undo")


@dataclass(frozen=True, slots=True)
class Told:
    """An event to be taken back; ``before`` is the state its row had, for changed and removed rows."""

    seq: int
    topic: str
    collection: str
    item: str
    payload: Any
    silent: bool
    before: Mapping[str, Any] | None

    @property
    def field(self) -> str:
        """The field that a schema event is about."""
        return str(self.payload["field"])


async def undo(work: Work, seq: int) -> list[dict[str, Any]]:
    """Take back the command that an event was part of; what was taken back, in order.

    Raises:
        InvalidPayload: when the event is no part of a schema command.
    """
    last = await last_archived(work.connection)
    if last is not None and seq <= last.seq:
        raise last.refusal()
    cursor = await work.connection.execute(_STATEMENTS["command"], {"seq": seq})
    told = [Told(*row) for row in await cursor.fetchall()]
    if not any(event.topic in _OPPOSITES for event in told):
        raise InvalidPayload(f"Event {seq} is no part of a change of the schema")
    for event in told:
        await take_back(work, event)
    return [
        {"event": one.seq, "topic": one.topic, "collection": one.collection, "item": one.item} for one in told
    ]


async def take_back(work: Work, event: Told) -> None:
    """Meet one event by its opposite; those behind it have to be met before."""
    opposite = _OPPOSITES.get(event.topic, _row)
    await opposite(work, event)


async def _row(work: Work, event: Told) -> None:
    """A metadata row goes back to what it was before the event."""
    key = {"collection" if event.collection == "directus_collections" else "id": event.item}
    if event.topic == "item.created":
        await work.delete(event.collection, key, silent=event.silent)
    elif event.topic == "item.deleted":
        # A row that SQL of others put there, and the log never heard of, is lost.
        if event.before:
            await work.insert(event.collection, event.before, exact=True, silent=event.silent)
    else:
        before = event.before or {}
        values = {name: before.get(name) for name in event.payload}
        await work.update(event.collection, key, values, silent=event.silent)


async def _collection_created(work: Work, event: Told) -> None:
    model = await work.reload()
    entry = model.collection(event.collection)
    table = event.payload["new"]["ddl"]
    if table is not None and entry is not None and entry.kind is not CollectionKind.FOLDER:
        await complete_log(work, entry)
        old = await work.definition(entry.schema, entry.table)
        await work.run(ddl.drop_table(entry.schema, entry.table))
        table = old
    old_document = {**event.payload["new"], "ddl": table}
    await work.record(CollectionDeleted, event.collection, old=old_document, revert=event.seq)


async def _collection_updated(work: Work, event: Told) -> None:
    old, new = event.payload["new"], event.payload["old"]
    if "checks" in new:
        await set_checks(work, await _owner(work, event), new["checks"])
    await work.record(CollectionUpdated, event.collection, old=old, new=new, revert=event.seq)


async def _collection_deleted(work: Work, event: Told) -> None:
    table = event.payload["old"]["ddl"]
    resumed = not await _used_again(work, event)
    if table is None:
        await work.record(CollectionCreated, event.collection, new=event.payload["old"], revert=event.seq)
        return
    await remake.make_table(work, table)
    entry = (await work.reload()).collections[event.collection]
    # The key is a constraint that comes later, so the model does not know it yet.
    columns = [column["name"] for column in table["columns"] if not column["generated"]]
    await refill_table(work, entry, columns, event.seq - 1)
    await remake.finish_table(work, table)
    new = event.payload["old"]
    await work.record(CollectionCreated, event.collection, new=new, revert=event.seq if resumed else None)
    if not resumed:
        await tell_rows(work, (await work.reload()).collections[event.collection])


async def _used_again(work: Work, event: Told) -> bool:
    values = {"collection": event.collection, "seq": event.seq}
    row = await (await work.connection.execute(_STATEMENTS["used_again"], values)).fetchone()
    return bool(row and row[0])


async def _field_created(work: Work, event: Told) -> None:
    owner = await _owner(work, event)
    old = event.payload["new"]
    if event.field in owner.columns:
        await complete_log(work, owner, event.field)
        ddl_now = column_definition(await work.definition(owner.schema, owner.table), event.field)
        await work.run(ddl.drop_column(owner.schema, owner.table, event.field))
        old = {**old, "ddl": ddl_now}
    await work.record(FieldDeleted, event.collection, field=event.field, old=old, revert=event.seq)


async def _field_deleted(work: Work, event: Told) -> None:
    column: Definition | None = event.payload["old"]["ddl"]
    new = event.payload["old"]
    if column is None:
        await work.record(FieldCreated, event.collection, field=event.field, new=new, revert=event.seq)
        return
    owner = await _owner(work, event)
    work.about = (event.collection, event.field)
    await remake.make_column(work, column)
    if not column["column"]["generated"]:
        await refill_column(work, owner, event.field, event.seq - 1)
    await work.record(FieldCreated, event.collection, field=event.field, new=new, revert=event.seq)
    # Rows that came after the drop have the default now.
    await tell_changes(work, owner, event.field)
    await remake.finish_column(work, column)


async def _field_updated(work: Work, event: Told) -> None:
    old, new = event.payload["new"], event.payload["old"]
    work.about = (event.collection, event.field)
    if old["ddl"] is not None and new["ddl"] is not None:
        await _alter_back(work, event, old["ddl"], new["ddl"])
    await work.record(FieldUpdated, event.collection, field=event.field, old=old, new=new, revert=event.seq)


async def _alter_back(work: Work, event: Told, old: Definition, new: Definition) -> None:
    owner = await _owner(work, event)
    kept = {one["name"] for one in new["constraints"]}
    for constraint in old["constraints"]:
        if constraint["name"] not in kept:
            await work.run(ddl.drop_constraint(owner.schema, owner.table, constraint["name"]))
    kept = {one["name"] for one in new["indexes"]}
    for index in old["indexes"]:
        if index["name"] not in kept:
            await work.run(ddl.drop_index(owner.schema, index["name"]))
    current = old
    if old["column"]["type"] != new["column"]["type"]:
        await _retype_back(work, owner, event, new)
        current = {**old, "column": {**old["column"], "default": None}}
    await work.run(*remake.alter_column(current, new))
    there = {one["name"] for one in (*old["constraints"], *old["indexes"])}
    await remake.make_constraints(work, new, [one for one in new["constraints"] if one["name"] not in there])
    for index in new["indexes"]:
        if index["name"] not in there:
            await work.run(remake.make_index(index))


async def _retype_back(work: Work, owner: Collection, event: Told, new: Definition) -> None:
    """The old type again, and the old values of all items that have not changed since."""
    await complete_log(work, owner, event.field)
    values = {"seq": event.seq, "field": event.field}
    row = await (await work.connection.execute(_STATEMENTS["conversion"], values)).fetchone()
    # A conversion that changed no value has nothing to put back.
    converted = row is not None and row[0] is not None
    if row is not None and converted:
        await remember_converted(work, owner, event.field, *row)
    await work.run(ddl.set_default(owner.schema, owner.table, event.field, None), remake.retype(new))
    if converted:
        await refill_converted(work, owner, event.field)
    await tell_changes(work, owner, event.field)


async def _relation_created(work: Work, event: Told) -> None:
    owner = await _owner(work, event)
    relation = find_relation(work.model, event.collection, event.field)
    if relation is not None and relation.constraint is not None:
        await work.run(ddl.drop_constraint(owner.schema, owner.table, relation.constraint.constraint))
    old = event.payload["new"]
    await work.record(RelationDeleted, event.collection, field=event.field, old=old, revert=event.seq)


async def _relation_deleted(work: Work, event: Told) -> None:
    document = event.payload["old"]
    await _constrain(work, event, document)
    await work.record(RelationCreated, event.collection, field=event.field, new=document, revert=event.seq)


async def _relation_updated(work: Work, event: Told) -> None:
    owner = await _owner(work, event)
    relation = find_relation(work.model, event.collection, event.field)
    old, new = event.payload["new"], event.payload["old"]
    if relation is not None and relation_document(relation)["constraint"] != new["constraint"]:
        if relation.constraint is not None:
            await work.run(ddl.drop_constraint(owner.schema, owner.table, relation.constraint.constraint))
        await work.reload()
        await _constrain(work, event, new)
    await work.record(
        RelationUpdated, event.collection, field=event.field, old=old, new=new, revert=event.seq
    )


async def _constrain(work: Work, event: Told, document: Mapping[str, Any]) -> None:
    """The foreign key of a relation, unless it came back with its table or column."""
    key = document["constraint"]
    owner = await _owner(work, event)
    column = owner.columns.get(event.field)
    if key is None or column is None or column.foreign_key is not None:
        return
    target = (key["schema"], key["table"], key["column"])
    actions = (key["on_update"], key["on_delete"])
    place = (owner.schema, owner.table)
    await work.run(ddl.add_foreign_key(place, event.field, target, actions, key["name"]))


async def _collection_renamed(work: Work, event: Told) -> None:
    await work.reload()
    await follow_in_rows(work, event.payload["name"], event.collection)
    await rename_collection(work, event.payload["name"], event.collection, revert=event.seq)


async def _field_renamed(work: Work, event: Told) -> None:
    await work.reload()
    await rename_field(work, event.collection, event.payload["name"], event.field, revert=event.seq)


async def _owner(work: Work, event: Told) -> Collection:
    found = (await work.reload()).collection(event.collection)
    if found is None:
        raise InvalidPayload(f'The collection "{event.collection}" is not there any more')
    return found


_OPPOSITES: Mapping[str, Callable[[Work, Told], Awaitable[None]]] = {
    "collection.created": _collection_created,
    "collection.updated": _collection_updated,
    "collection.deleted": _collection_deleted,
    "collection.renamed": _collection_renamed,
    "field.created": _field_created,
    "field.updated": _field_updated,
    "field.deleted": _field_deleted,
    "field.renamed": _field_renamed,
    "relation.created": _relation_created,
    "relation.updated": _relation_updated,
    "relation.deleted": _relation_deleted,
}
