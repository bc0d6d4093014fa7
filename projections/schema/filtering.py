"""Where requests to change the model are shown to whoever may change or refuse them: before they are read,
inside the transaction of the change.

What filters answer is read like any request. Collection and field of a path stay what they are: no filter
moves a change elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from domain.access.caller import Caller
from projections.database import Connection
from projections.schema.cascades import COLLECTIONS, FIELDS, RELATIONS
from projections.schema.work import Work


class Filters(Protocol):
    """Whoever is asked; `projections.emitter`."""

    async def asks(self, name: str) -> bool:
        """Whether anybody is, about an event."""

    async def within(
        self,
        connection: Connection,
        caller: Caller | None,
        names: Sequence[str],
        payload: Any,
        members: Mapping[str, Any],
    ) -> Any:
        """What is to be done instead of a payload."""


@dataclass
class ModelFiltering:
    """The filters of all changes of the model; none until some are set."""

    filters: Filters | None = None

    async def new_collection(self, work: Work, body: Any) -> Any:
        """A collection that is asked for, then the metadata row of each field that comes with it."""
        found = await self._object(work, "collections.create", body, {"collection": COLLECTIONS})
        if not isinstance(found, Mapping) or found.get("schema") in (None, False):
            return found
        entries = found.get("fields")
        if not isinstance(entries, list):
            return found
        return {**found, "fields": [await self._row(work, found.get("collection"), one) for one in entries]}

    async def changed_collection(self, work: Work, name: str, body: Any) -> Any:
        """What is to be changed of a collection."""
        members = {"keys": [name], "collection": COLLECTIONS}
        return await self._object(work, "collections.update", body, members)

    async def is_going(self, work: Work, name: str) -> bool:
        """Whether a collection is still to be deleted."""
        return name in await self._names(work, "collections.delete", [name], {"collection": COLLECTIONS})

    async def new_field(self, work: Work, collection: str, body: Any) -> Any:
        """A field that is asked for."""
        return await self._object(work, "fields.create", body, {"collection": collection})

    async def changed_field(self, work: Work, collection: str, name: str, body: Any) -> Any:
        """What is to be changed of a field."""
        return await self._object(work, "fields.update", body, {"keys": [name], "collection": collection})

    async def changed_type(
        self, work: Work, collection: str, name: str, body: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What is to be changed of a field that gets another type; the rest of the body stays."""
        change = {"field": name, "type": body.get("type"), "schema": body.get("schema")}
        found = await self.changed_field(work, collection, name, change)
        return {**body, "type": found.get("type"), "schema": found.get("schema")}

    async def is_field_going(self, work: Work, collection: str, name: str) -> bool:
        """Whether a field is still to be deleted."""
        return name in await self._names(work, "fields.delete", [name], {"collection": collection})

    async def new_relation(self, work: Work, body: Any) -> Any:
        """A relation that is asked for."""
        return await self._object(work, "relations.create", body, {"collection": RELATIONS})

    async def changed_relation(self, work: Work, collection: str, field: str, body: Any) -> Any:
        """What is to be changed of a relation."""
        members = {"keys": [f"{collection}.{field}"], "collection": RELATIONS}
        return await self._object(work, "relations.update", body, members)

    async def is_relation_going(self, work: Work, collection: str, field: str) -> bool:
        """Whether a relation is still to be deleted."""
        return field in await self._names(work, "relations.delete", [field], {"collection": collection})

    async def _row(self, work: Work, collection: Any, entry: Any) -> Any:
        """An entry of a new collection's fields; one without metadata gets no row, and is not shown."""
        meta = entry.get("meta") if isinstance(entry, Mapping) else None
        if not isinstance(meta, Mapping):
            return entry
        row = {**meta, "collection": collection, "field": entry.get("field")}
        found = await self._object(work, "fields.create", row, {"collection": FIELDS})
        return {**entry, "meta": {name: found[name] for name in found if name not in ("collection", "field")}}

    async def _object(self, work: Work, event: str, body: Any, members: Mapping[str, Any]) -> Any:
        # What is no object is refused by whoever reads it.
        if not isinstance(body, Mapping):
            return body
        found = await self._asked(work, event, body, members)
        # A flow that returns null, or anything but an object, leaves nothing of the request.
        return found if isinstance(found, Mapping) else {}

    async def _names(
        self, work: Work, event: str, names: Sequence[str], members: Mapping[str, Any]
    ) -> Sequence[Any]:
        found = await self._asked(work, event, names, members)
        return found if isinstance(found, list) else []

    async def _asked(self, work: Work, event: str, payload: Any, members: Mapping[str, Any]) -> Any:
        if self.filters is None or not await self.filters.asks(event):
            return payload
        return await self.filters.within(work.connection, work.command.caller, (event,), payload, members)
