"""A schema whose types are made when they are looked at, and the cache of schemas."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from typing import Any

from graphql import (
    DirectiveLocation,
    GraphQLDeprecatedDirective,
    GraphQLDirective,
    GraphQLIncludeDirective,
    GraphQLNamedType,
    GraphQLSchema,
    GraphQLSkipDirective,
)
from graphql.type.introspection import introspection_types

from api.graphql.types import Types
from domain.access.rights import Rights
from domain.graphql.definitions import Definitions, definitions
from domain.graphql.outline import Outline, Scope
from domain.graphql.roots import Root, mutations, queries, subscriptions
from domain.graphql.server import add_operations
from domain.model import Model

_DEPRECATED = GraphQLDirective(
    GraphQLDeprecatedDirective.name,
    [
        DirectiveLocation.FIELD_DEFINITION,
        DirectiveLocation.ARGUMENT_DEFINITION,
        DirectiveLocation.INPUT_FIELD_DEFINITION,
        DirectiveLocation.ENUM_VALUE,
    ],
    args=GraphQLDeprecatedDirective.args,
)
DIRECTIVES = (GraphQLSkipDirective, GraphQLIncludeDirective, _DEPRECATED)
KEPT = 60
NO_RESOLVERS: Mapping[str, Any] = {}


class _Lookup(Mapping[str, GraphQLNamedType]):
    """The type map of a lazy schema: one type costs one type, a walk over all costs all."""

    def __init__(self, types: Types, names: Definitions) -> None:
        self._types = types
        self._names = names
        self._all: dict[str, GraphQLNamedType] | None = None

    def __getitem__(self, name: str) -> GraphQLNamedType:
        found = introspection_types.get(name) or self._types.named(name)
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def values(self) -> ValuesView[GraphQLNamedType]:
        """The types that can be reached from the roots."""
        return self._reached().values()

    def items(self) -> ItemsView[str, GraphQLNamedType]:
        """The types that can be reached from the roots, by name."""
        return self._reached().items()

    def _reached(self) -> dict[str, GraphQLNamedType]:
        if self._all is None:
            roots = [self._types.root(name) for name in ("Query", "Mutation", "Subscription")]
            whole = GraphQLSchema(roots[0], roots[1], roots[2], directives=DIRECTIVES, assume_valid=True)
            self._all = dict(whole.type_map)
        return self._all


class LazySchema(GraphQLSchema):
    """The schema of one scope for one set of rights."""

    def __init__(
        self, outline: Outline, scope: Scope, resolvers: Mapping[str, Any], off: frozenset[str]
    ) -> None:
        found = definitions(outline, scope)
        self.outline = outline
        self.scope = scope
        self.queries: Mapping[str, Root] = queries(outline, scope)
        self.mutations: Mapping[str, Root] = mutations(outline, scope)
        self.subscriptions: Mapping[str, Root] = subscriptions(outline)
        if scope == "system":
            add_operations(outline, found, off)
        types = Types(found, resolvers)
        super().__init__(directives=(), assume_valid=True)
        self.directives = DIRECTIVES
        self.query_type = types.root("Query")
        self.mutation_type = types.root("Mutation")
        self.subscription_type = types.root("Subscription")
        self.type_map = _Lookup(types, found)  # type: ignore[assignment]

    def get_type(self, name: str) -> GraphQLNamedType | None:
        """The type of this name, also one that no root leads to."""
        return self.type_map.get(name)


class Schemas:
    """Schemas by model, rights and scope: shared by callers of equal rights, made off the event loop."""

    def __init__(self, resolvers: Mapping[str, Any], off: frozenset[str] = frozenset()) -> None:
        self._resolvers = resolvers
        self._off = off
        self._known: OrderedDict[tuple[int, str, Scope], LazySchema] = OrderedDict()
        self._making: dict[tuple[int, str, Scope], asyncio.Future[LazySchema]] = {}
        self._warming: set[asyncio.Task[Any]] = set()

    def known(self, model: Model, rights: Rights, scope: Scope) -> LazySchema | None:
        """A schema that is there already."""
        key = (model.version, rights.key, scope)
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
        return found

    async def of(self, model: Model, rights: Rights, scope: Scope) -> LazySchema:
        """The schema of a caller; several who need the same one wait for it together."""
        known = self.known(model, rights, scope)
        if known is not None:
            return known
        key = (model.version, rights.key, scope)
        making = self._making.get(key)
        if making is None:
            making = asyncio.ensure_future(
                asyncio.to_thread(make_schema, model, rights, scope, self._resolvers, self._off)
            )
            self._making[key] = making
        try:
            made = await asyncio.shield(making)
        finally:
            if making.done():
                self._making.pop(key, None)
        self._known[key] = made
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return made

    def warm(self, model: Model) -> None:
        """After a change of the model: make the schemas that were in use for the new one."""
        used = {(rights, scope): schema.outline.rights for (_, rights, scope), schema in self._known.items()}
        old = [key for key in self._known if key[0] < model.version - 1]
        for key in old:
            del self._known[key]
        for (_, scope), rights in list(used.items())[-8:]:
            task = asyncio.get_running_loop().create_task(self.of(model, rights, scope))
            self._warming.add(task)
            task.add_done_callback(self._warming.discard)


def make_schema(
    model: Model,
    rights: Rights,
    scope: Scope,
    resolvers: Mapping[str, Any] = NO_RESOLVERS,
    off: frozenset[str] = frozenset(),
) -> LazySchema:
    """A schema with its root types complete, the rest to come.

    ``resolvers`` are the functions behind operations that are no plans; ``off`` what `server_info` says is
    not there (see `add_operations`).
    """
    schema = LazySchema(Outline(model, rights), scope, resolvers, off)
    for root in (schema.query_type, schema.mutation_type):
        if root is not None:
            _ = root.fields
    return schema
