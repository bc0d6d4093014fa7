"""What a receiver sees of a change: the items read again with its rights and its query.

Deleted items can't be read; whether a key may be told is decided on the item's last state in the log.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import orjson

from api.keys import Context
from api.read_events import ReadEvents
from api.realtime.hub import Shared
from domain.errors import Forbidden
from domain.log.changes import Change
from domain.model import wire
from domain.model.keys import join_key
from domain.model.schema import Model
from projections.database import Database
from projections.log.states import states_before
from projections.reading.reader import Reader

Query = Mapping[str, Any]
EMPTY = b'{"data":[]}'
MODEL = frozenset({"directus_collections", "directus_fields", "directus_relations"})
NEVER = frozenset({"directus_migrations", "directus_sessions", "directus_extensions"})


class Views:
    """Reads for subscribers; what several would read alike is read once."""

    def __init__(self, database: Database, reader: Reader, events: ReadEvents) -> None:
        self._database = database
        self._reader = reader
        self._events = events

    def check(self, context: Context, collection: str) -> None:
        """Whether the caller may hear of a collection at all.

        Raises:
            Forbidden
        """
        # Of the model itself, parts can't be told apart by rights: administrators alone hear of it.
        hidden = collection in NEVER or (collection in MODEL and not context.rights.admin)
        if hidden or not context.rights.may(collection, "read"):
            raise Forbidden.collection(collection)

    async def present(self, context: Context, collection: str, query: Query, item: str | None) -> bytes:
        """The envelope of what is there now: a list, or the one item.

        Raises:
            Forbidden, InvalidQuery: as a read does.
        """
        model = context.model
        if collection in MODEL:
            return orjson.dumps({"data": model_objects(model, collection)}, default=str)
        arguments = (model, context.rights, context.caller, collection)
        wanted = await self._events.query(context, collection, query)
        found: bytes | None
        if item is not None:
            found = await self._reader.item(*arguments, item, wanted)
        elif model.collections[collection].singleton:
            one = await self._reader.singleton(*arguments, wanted)
            found = b'{"data":[' + one[8:-1] + b"]}"
        else:
            found = await self._reader.list(*arguments, wanted)
        if found is not None:
            found = await self._events.envelope(context, collection, wanted, found)
        if found is None:
            raise Forbidden()
        return found

    async def changed(self, context: Context, change: Change, query: Query, shared: Shared) -> bytes:
        """The envelope of the changed items that the caller can see; of deletions, of their keys.

        Raises:
            Forbidden, InvalidQuery: as a read does.
        """
        if change.collection in MODEL:
            return orjson.dumps({"data": _model_changes(context.model, change)}, default=str)
        if change.action == "delete":
            keys = await self.departed(context, change, query, shared)
            return orjson.dumps({"data": self._as_told(context.model, change, keys)})
        return bytes(
            await shared.once(
                ("changed", *place(context), orjson.dumps(query)),
                lambda: self._changed(context, change, query),
            )
        )

    async def _changed(self, context: Context, change: Change, query: Query) -> bytes:
        name = change.collection
        wanted = await self._events.query(context, name, query)
        found = await self._reader.by_keys(
            context.model, context.rights, context.caller, name, change.keys, wanted
        )
        return await self._events.envelope(context, name, wanted, found, change.keys) or EMPTY

    async def departed(self, context: Context, change: Change, query: Query, shared: Shared) -> list[str]:
        """Those of the deleted keys that the caller might have seen."""
        if context.rights.admin and not query.get("filter"):
            return change.keys
        found = await shared.once(
            ("departed", *place(context), orjson.dumps(query.get("filter"))),
            lambda: self._departed(context, change, query, shared),
        )
        return list(found)

    async def _departed(self, context: Context, change: Change, query: Query, shared: Shared) -> list[str]:
        states = await shared.once("states", lambda: self._states(change))
        collection = context.model.collections.get(change.collection)
        if collection is None:
            return []
        wanted = {"fields": list(collection.primary_key), "filter": query.get("filter") or {}, "limit": -1}
        try:
            envelope = await self._reader.departed(
                context.model, context.rights, context.caller, change.collection, states, wanted
            )
        except Forbidden:
            # Without the key's own field, nobody learns keys.
            return []
        rows = orjson.loads(envelope)["data"]
        seen = {join_key([row[column] for column in collection.primary_key]) for row in rows}
        return [key for key in change.keys if key in seen]

    async def _states(self, change: Change) -> list[dict[str, Any]]:
        async with self._database.connection() as connection:
            found = await states_before(
                connection, change.collection, change.keys, [record.seq for record in change.records]
            )
        return [state for state in found.values() if state]

    def _as_told(self, model: Model, change: Change, keys: list[str]) -> list[Any]:
        """Keys as the request that deleted them most likely wrote them: one in the URL, several in a body."""
        collection = model.collections.get(change.collection)
        if collection is None or len(change.keys) == 1 or len(collection.primary_key) != 1:
            return list(keys)
        kind = collection.columns[collection.primary_key[0]].sql_type
        whole = kind in ("smallint", "integer", "bigint")
        return [int(key) if whole else key for key in keys]


def model_objects(model: Model, collection: str) -> list[dict[str, Any]]:
    """All objects of a collection that is made of the model itself."""
    if collection == "directus_collections":
        return wire.collections(model)
    return wire.fields(model) if collection == "directus_fields" else wire.relations(model.relations)


def _model_changes(model: Model, change: Change) -> list[Any]:
    names = [key.partition(".") for key in change.keys]
    if change.collection == "directus_collections":
        if change.action == "delete":
            return [name for name, _, _ in names]
        return [wire.collection(model.collections[name]) for name, _, _ in names if name in model.collections]
    if change.action == "delete":
        if change.collection == "directus_fields":
            return [field for _, _, field in names]
        return [{"collection": name, "fields": [field]} for name, _, field in names]
    member = "collection"
    return [
        entry
        for entry in model_objects(model, change.collection)
        if f"{entry[member]}.{entry['field']}" in change.keys
    ]


def place(context: Context) -> tuple[Hashable, ...]:
    """What callers have in common who see the same."""
    # Rules and queries may speak of the caller, administrators' too.
    caller = context.caller
    return context.rights.key, context.model.version, caller.user, caller.roles, caller.policies
