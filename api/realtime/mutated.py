"""One GraphQL subscription: ``<collection>_mutated``, a frame for each item that is touched.

The document is held against the schema of the receiver's rights at every event, so rights that were taken
away end what it sees; what was valid when it subscribed may be an error later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import OperationDefinitionNode, OperationType
from graphql.execution.values import get_argument_values, get_variable_values
from graphql.language.ast import FieldNode

from api.graphql.answers import dumps
from api.graphql.collect import Collector
from api.graphql.compile import Compiled
from api.graphql.documents import Document
from api.graphql.kept import Asked
from api.graphql.run import Engine
from api.keys import Context
from api.realtime.hub import Shared
from api.realtime.views import Views, place
from api.realtime.visitor import Visitor
from domain.errors import ActaError, ErrorGroup, Forbidden, InvalidQuery, ServiceUnavailable
from domain.log.changes import Change
from domain.query.planner import key_parts

log = logging.getLogger(__name__)
Errors = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a document asks for: the answer's name, the root field's nodes, the collection, the event."""

    name: str
    nodes: Sequence[FieldNode]
    collection: str
    event: str | None
    collector: Collector
    document: Document


async def wanted(engine: Engine, context: Context, asked: Asked) -> Wanted:
    """Read a subscription for the caller's schema.

    Raises:
        GraphQLValidation: for what the schema does not have.
        InvalidQuery: for anything but one subscription of one field.
    """
    document = await engine.document(context, "items", asked.text)
    operation = document.operation(asked.operation)
    if operation is None or operation.operation != OperationType.SUBSCRIPTION:
        raise InvalidQuery("Only subscriptions are answered over this socket")
    variables = _variables(document, operation, asked.variables)
    collector = engine.preparing.collector(document, variables)
    type_ = document.schema.subscription_type
    found = collector.fields([operation.selection_set], "Subscription")
    if type_ is None or len(found) != 1:
        raise InvalidQuery("A subscription has exactly one field")
    [(name, nodes)] = found.items()
    root = document.schema.subscriptions.get(nodes[0].name.value)
    if root is None:
        raise InvalidQuery("There is nothing to subscribe to")
    given = get_argument_values(type_.fields[nodes[0].name.value], nodes[0], variables)
    event = given.get("event")
    return Wanted(
        name, nodes, root.collection, str(getattr(event, "value", event) or "") or None, collector, document
    )


def _variables(
    document: Document, operation: OperationDefinitionNode, given: Mapping[str, Any]
) -> dict[str, Any]:
    variables = get_variable_values(document.schema, operation.variable_definitions, dict(given))
    if isinstance(variables, list):
        raise InvalidQuery(variables[0].message)
    return variables


class Mutated:
    """A subscription that runs. ``put`` sends a result, ``end`` tells of errors and ends it.

    ``size`` is what it counts of what a socket may keep.
    """

    def __init__(
        self,
        engine: Engine,
        views: Views,
        visitor: Visitor,
        asked: Asked,
        found: Wanted,
        put: Callable[[Mutated, bytes], None],
        end: Callable[[Mutated, Errors], None],
        *,
        positions: bool,
        size: int,
    ) -> None:
        self.collection = found.collection
        self.size = size
        self._event = found.event
        self._engine = engine
        self._views = views
        self._visitor = visitor
        self._asked = asked
        self._put = put
        self._end = end
        self._positions = positions
        self._variables = orjson.dumps(asked.variables, option=orjson.OPT_SORT_KEYS)

    def hears(self, change: Change) -> bool:
        """Whether the event is the one that is wanted."""
        return self._event in (None, change.action)

    async def told(self, change: Change, shared: Shared) -> None:
        """Send a result for each item of a change that the receiver may see."""
        try:
            context = await self._visitor.context()
            asked = self._asked
            key = ("mutated", *place(context), asked.text, asked.operation, self._variables, self._positions)
            for payload in await shared.once(key, lambda: self._payloads(context, change, shared)):
                self._put(self, payload)
        except (ActaError, ErrorGroup) as error:
            self._end(self, errors_of(error))
        except Exception:
            log.exception("realtime: a subscription to %s failed", self.collection)

    async def _payloads(self, context: Context, change: Change, shared: Shared) -> list[bytes]:
        """The same for all receivers who see the same and ask for the same."""
        asked = await wanted(self._engine, context, self._asked)
        if change.action == "delete":
            keys = await self._views.departed(context, change, {}, shared)
            return [self._payload(asked, change, key, None) for key in keys]
        compiler = self._engine.preparing.compiler(asked.collector, context.caller)
        plans = {
            name: compiler.item(asked.collection, nodes, None)
            for name, nodes in asked.collector.below(asked.nodes, f"{asked.collection}_mutated").items()
            if nodes[0].name.value == "data"
        }
        found = []
        for key in change.keys:
            item = await self._item(context, asked.collection, plans, key)
            if item is not None:
                found.append(self._payload(asked, change, key, item))
        return found

    async def _item(
        self, context: Context, collection: str, plans: Mapping[str, Compiled], key: str
    ) -> dict[str, bytes] | None:
        """The members of the item that are asked for, by the name of each ``data``; None when unseen."""
        parts = key_parts(context.model.collections[collection], key)
        answers: dict[str, bytes] = {}
        for name, compiled in plans.items():
            value = await self._engine.read_one(context, compiled, parts)
            if isinstance(value, ServiceUnavailable):
                raise value
            if not isinstance(value, bytes):
                return None
            answers[name] = value
        if not answers and not await self._seen(context, collection, key):
            return None
        return answers

    async def _seen(self, context: Context, collection: str, key: str) -> bool:
        reader = self._engine.preparing.reader
        fields = list(context.model.collections[collection].primary_key)
        try:
            found = await reader.by_keys(
                context.model, context.rights, context.caller, collection, [key], {"fields": fields}
            )
        except Forbidden:
            return False
        return found != b'{"data":[]}'

    def _payload(self, asked: Wanted, change: Change, key: str, item: dict[str, bytes] | None) -> bytes:
        members: list[bytes] = []
        type_name = f"{asked.collection}_mutated"
        for name, nodes in asked.collector.below(asked.nodes, type_name).items():
            match nodes[0].name.value:
                case "key":
                    value = orjson.dumps(key)
                case "event":
                    value = orjson.dumps(change.action)
                case "__typename":
                    value = orjson.dumps(type_name)
                case _:
                    value = b"null" if item is None else item[name]
            members.append(orjson.dumps(name) + b":" + value)
        data = b"{" + orjson.dumps(asked.name) + b":{" + b",".join(members) + b"}}"
        more = b',"extensions":' + dumps({"position": change.position}) if self._positions else b""
        return b'{"data":' + data + more + b"}"


def errors_of(error: ActaError | ErrorGroup) -> Errors:
    """An error as GraphQL errors; failed validations of a document are the errors themselves."""
    first = error.errors[0] if isinstance(error, ErrorGroup) else error
    inner = first.extensions.get("errors")
    if isinstance(inner, list) and inner and isinstance(inner[0], dict):
        return inner
    return [first.entry()]
