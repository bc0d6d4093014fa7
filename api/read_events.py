"""The events of reads: filters of a query before it is planned and of the records before they are sent, and
actions that are told what was sent.

Filters are asked before rights are looked at, so these hold for whatever query a filter makes; what is read
for Acta's own use is no read of anybody and shown to nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from api.keys import Context
from domain.flows.subscriptions import Action, names_of_event
from domain.query.told import told
from projections.emitter import Emitter
from projections.reading.reader import Reader

Raw = str | Mapping[str, Any]
Query = Mapping[str, Any]


class ReadEvents:
    """Asks and tells of reads of any interface. Where nobody listens, nothing is decoded."""

    def __init__(self, emitter: Emitter, reader: Reader) -> None:
        self._emitter = emitter
        self._reader = reader

    async def asks(self, context: Context, collection: str) -> bool:
        """Whether a filter wants to see queries or records of a collection."""
        return await self.asks_query(context, collection) or await self.shows(context, collection)

    async def shows(self, context: Context, collection: str) -> bool:
        """Whether a filter wants to see the records of a collection."""
        return await self._listens(context, collection, "read")

    async def asks_queries(self) -> bool:
        """Whether a filter wants to see the queries of any collection at all."""
        return await self._emitter.listens_anywhere("query")

    async def asks_query(self, context: Context, collection: str) -> bool:
        """Whether a filter wants to see the queries of a collection."""
        return await self._listens(context, collection, "query")

    async def query(self, context: Context, collection: str, raw: Raw) -> Raw:
        """The query to carry out: the very one that was sent unless a filter changes it.

        Raises:
            InvalidQuery: for one that can't be read.
            ActaError, ErrorGroup: with what a filter refuses it.
        """
        if self._emitter.quiet or not await self.asks_query(context, collection):
            return raw
        query = self.told(raw)
        before, names = dumps(query), names_of_event(collection, "query")
        found = await self._emitter.filter(
            names[-1], names, query, {"collection": collection}, context.caller
        )
        changed = found if isinstance(found, Mapping) else {}
        return raw if dumps(changed) == before else changed

    def told(self, raw: Raw) -> dict[str, Any]:
        """A query as listeners see it. Raises InvalidQuery."""
        return told(self._reader.members(raw))

    async def records(self, context: Context, collection: str, query: Query, records: list[Any]) -> list[Any]:
        """The records to send. Raises as :meth:`query`."""
        names, members = names_of_event(collection, "read"), {"query": query, "collection": collection}
        found = await self._emitter.filter(names[-1], names, records, members, context.caller)
        return found if isinstance(found, list) else []

    async def envelope(
        self, context: Context, collection: str, raw: Raw, body: bytes, keys: Sequence[str] = ()
    ) -> bytes | None:
        """The envelope to send, None when nothing is left of its one item. Raises as :meth:`query`."""
        if self._emitter.quiet or not await self.shows(context, collection):
            return body
        envelope = orjson.loads(body)
        data = envelope["data"]
        records = data if isinstance(data, list) else [data]
        before, query = dumps(records), self._query(context, collection, raw, keys)
        found = await self.records(context, collection, query, records)
        if (after := dumps(found)) == before:
            return body
        if isinstance(data, list):
            return dumps({**envelope, "data": orjson.Fragment(after)})
        return dumps({"data": found[0]}) if found else None

    async def tell(self, context: Context, collection: str, sent: Callable[[], tuple[Query, Any]]) -> None:
        """Tell whoever listens of a read: of the query and what was answered, one item or several."""
        names = names_of_event(collection, "read")
        if not self._emitter.quiet and await self._emitter.tells(names):
            query, found = sent()
            payload = found if isinstance(found, list) else [found]
            meta = {"payload": payload, "query": query, "collection": collection}
            self._emitter.act(names, meta, context.caller)

    async def tell_envelope(
        self, context: Context, collection: str, raw: Raw, body: bytes, keys: Sequence[str] = ()
    ) -> None:
        """Tell whoever listens of a read that was answered with an envelope."""
        if self._emitter.quiet:
            return

        def sent() -> tuple[Query, Any]:
            return self._query(context, collection, raw, keys), orjson.loads(body)["data"]

        await self.tell(context, collection, sent)

    async def _listens(self, context: Context, collection: str, step: Action) -> bool:
        return await self._emitter.listens(collection, step) and collection in context.model.collections

    def _query(self, context: Context, collection: str, raw: Raw, keys: Sequence[str]) -> dict[str, Any]:
        query, columns = self.told(raw), context.model.collections[collection].primary_key
        if keys and len(columns) == 1:
            chosen: dict[str, Any] = {"_in": list(keys)} if len(keys) > 1 else {"_eq": keys[0]}
            query["filter"] = {columns[0]: chosen}
        return query


def dumps(value: Any) -> bytes:
    """JSON of what filters were shown or give."""
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
