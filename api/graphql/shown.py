"""Reads as filters see them: queries in the names of REST, and records under the names of their fields.

A document may call a field what it likes; a filter that takes care of a field must find it all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from graphql import OperationDefinitionNode
from graphql.language.ast import FieldNode

from api.graphql.arguments import arguments_of, parameters_of
from api.graphql.collect import Collector
from api.graphql.compile import Compiled
from api.graphql.documents import Document
from api.keys import Context
from api.read_events import ReadEvents, dumps
from domain.errors import ActaError, ErrorGroup
from domain.graphql.outline import Outline
from domain.query.query import TYPE_NAME, AnyRelated, Functions, Member, Members, Named, Plain, Related

OWN: Final = {"users_me": "directus_users", "roles_me": "directus_roles"}
"""Root fields that read the caller's own items, and their collections."""
Asked = Mapping[str, Any] | ActaError | ErrorGroup
"""What filters make of the query of a root field; or that, and why, they refuse it."""


async def asked_roots(
    events: ReadEvents,
    context: Context,
    collector: Collector,
    document: Document,
    operation: OperationDefinitionNode,
) -> dict[str, Asked]:
    """The root fields of a query that filters change or refuse, by response name."""
    schema = document.schema
    found: dict[str, Asked] = {}
    type_ = schema.query_type
    assert type_ is not None
    for name, nodes in collector.fields([operation.selection_set], type_.name).items():
        field = nodes[0].name.value
        root = schema.queries.get(field)
        collection = OWN.get(field) if root is None else root.collection
        if collection is None:
            continue
        try:
            given = arguments_of(type_, nodes[0], collector.variables)
            grouped = root is not None and root.kind == "aggregated"
            asked = await asked_root(events, context, collector, collection, nodes, given, grouped=grouped)
        except (ActaError, ErrorGroup) as error:
            found[name] = error
        else:
            if asked is not None:
                found[name] = asked
    return found


async def asked_root(
    events: ReadEvents,
    context: Context,
    collector: Collector,
    collection: str,
    nodes: Sequence[FieldNode],
    given: Mapping[str, Any],
    *,
    grouped: bool = False,
) -> Mapping[str, Any] | None:
    """What filters make of the query of a root field; None when they leave it.

    Raises:
        ActaError, ErrorGroup: with what a filter refuses it.
    """
    outline = collector.schema.outline
    if not await events.asks_query(context, collection):
        return None
    query = parameters_of(outline, collection, given)
    if grouped:
        query["groupBy"] = [entry for entry in given.get("groupBy") or () if entry]
    else:
        query["fields"] = [*_paths(collector, outline, collection, nodes)]
    found = await events.query(context, collection, query)
    return None if found is query or isinstance(found, str) else found


def _paths(
    collector: Collector, outline: Outline, collection: str, nodes: Sequence[FieldNode]
) -> Iterator[str]:
    shapes = outline.fields(collection, "read")
    for found in collector.below(nodes, collection).values():
        asked = found[0].name.value
        if asked == TYPE_NAME:
            continue
        shape = shapes.get(asked)
        if shape is None:
            field = asked.removesuffix("_func")
            functions = collector.below(found, f"{shapes[field].functions}_functions").values()
            yield from (f"{one[0].name.value}({field})" for one in functions)
        elif shape.kind == "scalar":
            yield asked
        elif shape.kind == "any":
            for target in shape.targets:
                yield from (f"{asked}:{target}.{path}" for path in _paths(collector, outline, target, found))
        else:
            yield from (f"{asked}.{path}" for path in _paths(collector, outline, shape.related, found))


async def shown(
    events: ReadEvents, context: Context, compiled: Compiled, value: bytes | None
) -> bytes | None:
    """What filters leave of the answer of a plan, None where nothing is left of its one item.

    Raises:
        ActaError, ErrorGroup: with what a filter refuses it.
    """
    collection = compiled.plan.collection
    if value is None or not await events.shows(context, collection):
        return value
    decoded = orjson.loads(value)
    rows = decoded if isinstance(decoded, list) else [decoded]
    names = Names(compiled.members or ())
    records = [names.fields(row) for row in rows] if compiled.members else rows
    before = dumps(records)
    left = await events.records(context, collection, {}, records)
    if dumps(left) == before:
        return value
    answers = [names.answer(record) for record in left] if compiled.members else left
    if isinstance(decoded, list):
        return dumps(answers)
    return dumps(answers[0]) if answers else None


@dataclass(frozen=True, slots=True)
class Names:
    """The names of an answer's members and those of their fields."""

    members: Members

    def fields(self, row: Any) -> Any:
        """An answer under the names of its fields; what is asked for twice in different ways has two."""
        if isinstance(row, list):
            return [self.fields(entry) for entry in row]
        if not isinstance(row, dict) or not self.members:
            return row
        return {name: _below(member).fields(row.get(member.output)) for member, name in self._named()}

    def answer(self, record: Any) -> Any:
        """A record under the names of the answer; what is not there is null."""
        if isinstance(record, list):
            return [self.answer(entry) for entry in record]
        if not isinstance(record, Mapping) or not self.members:
            return record
        return {
            member.output: member.text
            if isinstance(member, Named)
            else _below(member).answer(record.get(name))
            for member, name in self._named()
        }

    def _named(self) -> Iterator[tuple[Member, str]]:
        taken: dict[str, Member] = {}
        for member in self.members:
            name = _field(member)
            while name in taken and replace(taken[name], output=member.output) != member:
                name += "_"
            taken.setdefault(name, member)
            yield member, name


@dataclass(frozen=True, slots=True)
class Kinds:
    """The same of an item that may be of one of several collections: its record tells of which."""

    branches: tuple[tuple[str, Members], ...]

    def fields(self, row: Any) -> Any:
        """As `Names.fields`, with the collection. Of two that look alike, the names of both."""
        if not isinstance(row, dict):
            return row
        alike = [(target, Names(members)) for target, members in self.branches if _looks(row, members)]
        found: dict[str, Any] = {}
        for _, names in alike:
            found |= names.fields(row)
        return {**found, TYPE_NAME: ",".join(target for target, _ in alike)}

    def answer(self, record: Any) -> Any:
        """As `Names.answer`; null for an item whose collection is not told any more."""
        if not isinstance(record, Mapping):
            return record
        alike = str(record.get(TYPE_NAME)).split(",")
        found: dict[str, Any] = {}
        for answer in (Names(members).answer(record) for target, members in self.branches if target in alike):
            # A filter may have taken care of either.
            found = {
                name: value if found.get(name, value) == value else None for name, value in answer.items()
            }
        return found or None


def _looks(row: Mapping[str, Any], members: Members) -> bool:
    named = all(row.get(member.output) == member.text for member in members if isinstance(member, Named))
    return named and row.keys() == {member.output for member in members}


def _field(member: Member) -> str:
    if isinstance(member, Named):
        return TYPE_NAME
    return f"{member.field}_func" if isinstance(member, Functions) else member.field


def _below(member: Member) -> Names | Kinds:
    if isinstance(member, AnyRelated):
        return Kinds(member.branches)
    if isinstance(member, Functions):
        return Names(tuple(Plain(output, name) for output, name in member.functions))
    return Names(member.members if isinstance(member, Related) else ())
