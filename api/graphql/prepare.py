"""Operations made ready to run: every root field a plan, a fixed answer, or left to graphql-core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from graphql import GraphQLNonNull, GraphQLObjectType, OperationDefinitionNode
from graphql.language.ast import FieldNode

from api.graphql.collect import Collector
from api.graphql.compile import Asked, Compiled, Compiler
from api.graphql.documents import Document
from api.recalling import HISTORY
from domain.access.caller import Caller
from domain.errors import ActaError, ErrorGroup, Forbidden
from domain.graphql.definitions import AS_OF
from domain.graphql.roots import Root
from domain.query.limits import QueryLimits
from domain.query.plan import ReadPlan
from projections.reading.reader import Reader
from projections.reading.statement import Statement


@dataclass(frozen=True, slots=True)
class Entry:
    """One root field: exactly one of ``value``, ``compiled`` and ``error``, or graphql-core has it.

    ``when`` is the moment it is read at, if not at present; as it was given, since some are told from now.
    ``own`` marks what is about the caller himself, and no answer to others of equal rights.
    """

    name: str
    nodes: Sequence[FieldNode]
    required: bool = False
    value: bytes | None = None
    compiled: Compiled | None = None
    error: ActaError | ErrorGroup | None = None
    when: str | None = None
    own: bool = False

    @property
    def planned(self) -> bool:
        """Whether the statement of all plans answers the field; content versions are read one by one."""
        return self.compiled is not None and self.compiled.version is None

    @property
    def left(self) -> bool:
        """Whether graphql-core executes the field."""
        return self.value is None and self.compiled is None and self.error is None


@dataclass(frozen=True)
class Prepared:
    """A query ready to run, if ``shared`` for any caller with the schema's rights.

    ``statement`` answers all plans at once.
    What is derived is worked out once, for it is kept and shared by requests.
    """

    entries: tuple[Entry, ...]
    statement: Statement | None

    @cached_property
    def past(self) -> bool:
        """Whether any entry is read at another moment than the present."""
        return any(entry.when is not None for entry in self.entries)

    @cached_property
    def shared(self) -> bool:
        """Whether callers of equal rights get the same."""
        return not any(entry.own for entry in self.entries)

    @cached_property
    def plans(self) -> list[Entry]:
        """The entries that the statement answers, in the order of its columns."""
        return [entry for entry in self.entries if entry.planned]

    @cached_property
    def distinct(self) -> list[ReadPlan]:
        """The plans behind the statement's columns; the same one is carried out once."""
        return distinct(self.entries)

    @cached_property
    def answering(self) -> list[Compiled]:
        """For each of ``distinct`` what it answers."""
        found: dict[ReadPlan, Compiled] = {}
        for entry in self.plans:
            if entry.compiled is not None:
                found.setdefault(entry.compiled.plan, entry.compiled)
        return [*found.values()]

    @cached_property
    def columns(self) -> list[int]:
        """For each of ``plans`` its place in ``distinct``."""
        places = {plan: place for place, plan in enumerate(self.distinct)}
        return [places[entry.compiled.plan] for entry in self.plans if entry.compiled is not None]

    @cached_property
    def histories(self) -> list[Compiled]:
        """What is asked of the log itself; its filters are looked at before it is read."""
        found = (entry.compiled for entry in self.entries if entry.compiled is not None)
        return [compiled for compiled in found if compiled.plan.collection in HISTORY]

    @cached_property
    def versions(self) -> list[Entry]:
        """The entries that are read as content versions have them."""
        return [entry for entry in self.entries if entry.compiled is not None and not entry.planned]

    @cached_property
    def left(self) -> list[Entry]:
        """The entries that graphql-core executes."""
        return [entry for entry in self.entries if entry.left]


def distinct(entries: Sequence[Entry]) -> list[ReadPlan]:
    """The plans of entries, each once."""
    plans = (entry.compiled.plan for entry in entries if entry.compiled is not None and entry.planned)
    return list(dict.fromkeys(plans))


@dataclass(frozen=True)
class Preparing:
    """What preparing needs to know of the process. ``most`` rows may be estimated for one operation."""

    reader: Reader
    limits: QueryLimits
    most: int | None

    def collector(self, document: Document, variables: dict[str, Any]) -> Collector:
        """A collector for an operation of a document."""
        return Collector(document.schema, document.fragments, variables)

    def compiler(self, collector: Collector, caller: Caller) -> Compiler:
        """A compiler for an operation."""
        return Compiler(collector, caller, self.limits, self.most)

    def query(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        variables: dict[str, Any],
        caller: Caller,
        *,
        open_key: bool = False,
        asked: Mapping[str, Asked | ActaError | ErrorGroup] = MappingProxyType({}),
    ) -> Prepared:
        """A query made ready. ``open_key`` leaves the key of its one item to whoever runs it; ``asked`` is
        what filters have made of root fields, by response name."""
        schema = document.schema
        collector = self.collector(document, variables)
        compiler = self.compiler(collector, caller)
        type_ = schema.query_type
        assert type_ is not None
        found = collector.fields([operation.selection_set], type_.name)
        entries = [
            self._entry(compiler, type_, schema.queries, name, nodes, caller, open_key, asked.get(name))
            for name, nodes in found.items()
        ]
        plans = distinct(entries)
        statement = self.reader.compiled(plans, schema.outline.model.version) if plans else None
        return Prepared(tuple(entries), statement)

    def _entry(
        self,
        compiler: Compiler,
        type_: GraphQLObjectType,
        roots: Mapping[str, Root],
        name: str,
        nodes: Sequence[FieldNode],
        caller: Caller,
        open_key: bool,
        asked: Asked | ActaError | ErrorGroup,
    ) -> Entry:
        field = nodes[0].name.value
        if field == "__typename":
            return Entry(name, nodes, value=f'"{type_.name}"'.encode())
        if field == "_empty":
            return Entry(name, nodes, value=b"null")
        if field.startswith("__"):
            return Entry(name, nodes)
        required = isinstance(type_.fields[field].type, GraphQLNonNull)
        if isinstance(asked, ActaError | ErrorGroup):
            return Entry(name, nodes, required, error=asked)
        root = roots.get(field)
        try:
            if root is not None:
                given = {} if open_key else compiler.arguments(type_, nodes)
                compiled = compiler.query(root, nodes, given, open_key=open_key, asked=asked)
                return Entry(name, nodes, required, compiled=compiled, when=given.get(AS_OF))
            return own(compiler, name, nodes, field, caller, asked) or Entry(name, nodes, required)
        except ActaError as error:
            return Entry(name, nodes, required, error=error)


def own(
    compiler: Compiler, name: str, nodes: Sequence[FieldNode], field: str, caller: Caller, asked: Asked
) -> Entry | None:
    """The caller's own user or roles, which are plans too; None for any other operation."""
    if field == "users_me":
        if caller.user is None:
            return Entry(name, nodes, value=b"null", own=True)
        user = compiler.item("directus_users", nodes, str(caller.user), asked)
        return Entry(name, nodes, compiled=user, own=True)
    if field == "roles_me":
        if caller.user is None:
            raise Forbidden()
        keys = sorted(str(role) for role in caller.roles)
        if not keys:
            return Entry(name, nodes, value=b"[]", own=True)
        return Entry(name, nodes, compiled=compiler.items("directus_roles", nodes, keys, {}, asked), own=True)
    return None
