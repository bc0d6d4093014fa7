"""Running operations: one statement for a query, one command after another for a mutation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from aiohttp import web
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLNonNull,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute,
)
from graphql.execution.values import get_variable_values

from api.graphql.answers import Answer, dumps, execution_error, listed, only_errors, request_error, root_error
from api.graphql.documents import Document, Documents
from api.graphql.mutations import OWN, Mutations
from api.graphql.openings import Openings, comparable, left_open, marks, openings
from api.graphql.past import at_moment
from api.graphql.persisted import Persisted
from api.graphql.prepare import Entry, Prepared, Preparing
from api.graphql.schema import Schemas
from api.graphql.versions import read_version
from api.items import Items
from api.keys import CONTEXT, Context
from domain.errors import ActaError, ErrorGroup, Forbidden, InternalError, ServiceUnavailable
from domain.graphql.outline import Scope
from domain.lru import Lru
from domain.query.planner import key_parts
from projections.reading.past import names_past

KEPT = 4000
_Place = tuple[Document, str | None, tuple[str, ...], bytes]
"""Document, operation, the variables that are left open, the values of the others."""
LONGEST_VARIABLES = 4000


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the document's text, variables, and which operation."""

    text: str
    variables: dict[str, Any]
    operation: str | None = None


@dataclass
class Engine:
    """Everything that executes GraphQL in this process."""

    schemas: Schemas
    documents: Documents
    preparing: Preparing
    items: Items
    persisted: Persisted
    _prepared: Lru[_Place, Prepared] = field(default_factory=lambda: Lru(KEPT))
    _open: Lru[tuple[Document, int], Openings] = field(default_factory=lambda: Lru(KEPT))

    async def document(self, context: Context, scope: Scope, text: str) -> Document:
        """The valid document of a text, for the caller's schema.

        Raises:
            GraphQLValidation: what is wrong with it.
        """
        schemas = self.schemas
        schema = schemas.known(context.model, context.rights, scope)
        if schema is None:
            schema = await schemas.of(context.model, context.rights, scope)
        return self.documents.known(schema, text) or await self.documents.read(schema, text)

    async def run(self, request: web.Request, document: Document, asked: Asked) -> bytes:
        """Execute an operation of a document; the body of the answer."""
        context = request[CONTEXT]
        operation = document.operation(asked.operation)
        if operation is None:
            return only_errors([request_error("The operation to execute is unknown or ambiguous.")])
        if operation.operation == OperationType.QUERY:
            present = not names_past(request.rel_url.raw_query_string)
            fast = self._fast(document, operation, asked, context, present=present)
            if fast is not None:
                return await self._answer(request, document, asked, *fast)
        variables = get_variable_values(
            document.schema, operation.variable_definitions, asked.variables, max_errors=20
        )
        if isinstance(variables, list):
            return only_errors(request_error(error) for error in variables)
        if operation.operation == OperationType.SUBSCRIPTION:
            found = self.preparing.collector(document, variables).fields(
                [operation.selection_set], "Subscription"
            )
            return dumps({"data": dict.fromkeys(found)})
        if operation.operation == OperationType.MUTATION:
            return await self._mutate(request, document, asked, operation, variables)
        prepared = self._prepare(document, asked, operation, variables, context)
        return await self._answer(request, document, asked, prepared, ())

    def _fast(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        asked: Asked,
        context: Context,
        *,
        present: bool,
    ) -> tuple[Prepared, Sequence[str]] | None:
        """A query prepared before, with the values that it leaves open; also of the first of its kind."""
        left = self._left_open(document, operation)
        values: list[str] = []
        variables = asked.variables
        if left.key is not None:
            given = variables.get(left.key[0])
            if isinstance(given, bool) or not isinstance(given, (str, int)):
                return None
            try:
                values += key_parts(context.model.collections[left.key[1]], str(given))
            except Forbidden:
                return None
        # The plan is what is read in the past, and holds no open texts.
        texts = tuple(name for name in left.texts if present and comparable(variables.get(name)))
        first = len(values)
        if left.key is not None or texts:
            taken = {left.key[0], *texts} if left.key is not None else {*texts}
            variables = {name: value for name, value in variables.items() if name not in taken}
            values += [asked.variables[name] for name in texts]
        place = (document, asked.operation, texts, _variables_key(variables))
        prepared = self._prepared.get(place)
        if prepared is None and (left.key is not None or texts):
            prepared = self._prepare_open(document, operation, asked, context, texts, first)
            if prepared is not None:
                self._keep(place, prepared)
        return None if prepared is None else (prepared, values)

    def _prepare_open(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        asked: Asked,
        context: Context,
        texts: tuple[str, ...],
        first: int,
    ) -> Prepared | None:
        left = self._left_open(document, operation)
        given = {**asked.variables, **marks(texts)}
        coerced = get_variable_values(document.schema, operation.variable_definitions, given)
        if isinstance(coerced, list):
            return None
        opened = None if left.key is None else left.key[1]
        prepared = self.preparing.query(document, operation, coerced, context.caller, opened)
        if not texts:
            return prepared
        found = left_open(prepared, len(texts), first)
        if found is None:
            self._open.put((document, id(operation)), replace(left, texts=()))
        return found

    def _left_open(self, document: Document, operation: OperationDefinitionNode) -> Openings:
        place = (document, id(operation))
        known = self._open.get(place)
        if known is None:
            known = openings(document, operation)
            self._open.put(place, known)
        return known

    def _prepare(
        self,
        document: Document,
        asked: Asked,
        operation: OperationDefinitionNode,
        variables: dict[str, Any],
        context: Context,
    ) -> Prepared:
        place = (document, asked.operation, (), _variables_key(asked.variables))
        prepared = self._prepared.get(place)
        if prepared is None:
            prepared = self.preparing.query(document, operation, variables, context.caller)
            if all(entry.left or _shared(entry) for entry in prepared.entries):
                self._keep(place, prepared)
        return prepared

    def _keep(self, place: _Place, prepared: Prepared) -> None:
        if len(place[3]) <= LONGEST_VARIABLES:
            self._prepared.put(place, prepared)

    # -- queries -------------------------------------------------------------------------------------------

    async def _answer(
        self, request: web.Request, document: Document, asked: Asked, prepared: Prepared, key: Sequence[str]
    ) -> bytes:
        context = request[CONTEXT]
        if prepared.past or names_past(request.rel_url.raw_query_string):
            prepared = await at_moment(request, prepared)
        plans = prepared.plans
        found: dict[str, bytes | ActaError | ErrorGroup | None] = {}
        if prepared.statement is not None:
            found = await self._read(context, prepared, plans, key)
        for entry in prepared.versions:
            found[entry.name] = await read_version(request, entry)
        answer = Answer()
        for entry in prepared.entries:
            if entry.left:
                continue
            _enter(answer, entry, found.get(entry.name), admin=context.rights.admin)
        if left := prepared.left:
            await self._leave(request, document, asked, left, answer)
            order = {entry.name: place for place, entry in enumerate(prepared.entries)}
            answer.data.sort(key=lambda member: order[member[0]])
        return answer.body()

    async def _read(
        self, context: Context, prepared: Prepared, plans: list[Entry], key: Sequence[str]
    ) -> dict[str, bytes | ActaError | ErrorGroup | None]:
        """What the statement finds, by entry. When it fails, each plan is tried alone to find the culprit."""
        reader = self.preparing.reader
        assert prepared.statement is not None
        try:
            values = await reader.values(prepared.statement, context.caller, key)
        except ServiceUnavailable:
            raise
        except ActaError as error:
            if len(plans) == 1:
                return {plans[0].name: error}
            found: dict[str, bytes | ActaError | ErrorGroup | None] = {}
            for entry in plans:
                assert entry.compiled is not None
                found[entry.name] = await self.read_one(context, entry.compiled.plan)
            return found
        if len(plans) == 1:
            single = plans[0].compiled is not None and plans[0].compiled.plan.single
            return {plans[0].name: (values[0] if values else None) if single else listed(values)}
        return {entry.name: value for entry, value in zip(plans, values, strict=True)}

    async def read_one(self, context: Context, plan: Any) -> bytes | ActaError | ErrorGroup | None:
        """The answer of one plan, or its error."""
        reader = self.preparing.reader
        try:
            statement = reader.compiled([plan], context.model.version)
            values = await reader.values(statement, context.caller)
        except ServiceUnavailable:
            raise
        except (ActaError, ErrorGroup) as error:
            return error
        return (values[0] if values else None) if plan.single else listed(values)

    async def _leave(
        self, request: web.Request, document: Document, asked: Asked, left: list[Entry], answer: Answer
    ) -> None:
        """Have graphql-core execute what is no plan: introspection, and operations of the server."""
        operation = document.operation(asked.operation)
        assert operation is not None
        nodes = [node for entry in left for node in entry.nodes]
        reduced = OperationDefinitionNode(
            operation=operation.operation,
            name=operation.name,
            variable_definitions=operation.variable_definitions,
            directives=(),
            selection_set=SelectionSetNode(selections=tuple(nodes)),
        )
        parsed = DocumentNode(definitions=(reduced, *document.fragments.values()))

        def work() -> Any:
            return execute(document.schema, parsed, None, request, variable_values=asked.variables)

        if all(entry.nodes[0].name.value.startswith("__") for entry in left):
            result = await asyncio.to_thread(work)
        else:
            result = work()
            if not isinstance(result, ExecutionResult):
                result = await result
        for error in result.errors or ():
            answer.errors.append(execution_error(error))
        if result.data is None:
            answer.lost = True
            return
        for name, value in result.data.items():
            answer.data.append((name, dumps(value)))

    # -- mutations -----------------------------------------------------------------------------------------

    async def _mutate(
        self,
        request: web.Request,
        document: Document,
        asked: Asked,
        operation: OperationDefinitionNode,
        variables: dict[str, Any],
    ) -> bytes:
        context, schema = request[CONTEXT], document.schema
        type_ = schema.mutation_type
        assert type_ is not None
        collector = self.preparing.collector(document, variables)
        compiler = self.preparing.compiler(collector, context.caller)
        mutations = Mutations(self.items, compiler, self.read_one, request)
        answer = Answer()
        once, kept = context.once, True
        for place, (name, nodes) in enumerate(
            collector.fields([operation.selection_set], type_.name).items()
        ):
            # Each root field is a transaction of its own.
            context.once = once.part(name) if once is not None and place else once
            asked_name = nodes[0].name.value
            if asked_name == "__typename":
                answer.data.append((name, b'"Mutation"'))
                continue
            required = isinstance(type_.fields[asked_name].type, GraphQLNonNull)
            entry = Entry(name, nodes, required)
            root = schema.mutations.get(asked_name)
            if root is None and asked_name not in OWN:
                kept = False
                await self._leave(request, document, asked, [entry], answer)
            else:
                value: bytes | ActaError | ErrorGroup | None
                try:
                    given = compiler.arguments(type_, nodes)
                    value = await mutations.run(context, root, asked_name, nodes, given)
                except ServiceUnavailable:
                    raise
                except (ActaError, ErrorGroup) as error:
                    value = error
                _enter(answer, entry, value, admin=context.rights.admin)
            if answer.lost:
                break
        # What operations of the server answer may be secret, and is made anew.
        context.once = once if kept else None
        return answer.body()


def _enter(
    answer: Answer, entry: Entry, value: bytes | ActaError | ErrorGroup | None, *, admin: bool
) -> None:
    """Put what a root field has come to into the answer."""
    error: ActaError | ErrorGroup | None = entry.error
    if isinstance(value, (ActaError, ErrorGroup)):
        error = value
    elif value is None and error is None:
        value = entry.value
        if value is None:
            value, error = _missing(entry)
    if error is not None:
        answer.fail(entry.name, root_error(error, entry.nodes[0], admin=admin), required=entry.required)
    else:
        assert isinstance(value, bytes)
        answer.data.append((entry.name, value))


def _missing(entry: Entry) -> tuple[bytes | None, ActaError | None]:
    """What stands for an item that is not there: the defaults of a singleton, else the error."""
    compiled = entry.compiled
    if compiled is None or compiled.default is None:
        return None, Forbidden()
    if compiled.required:
        return None, InternalError(f'Cannot return null for non-nullable field "{compiled.required[0]}".')
    return dumps(compiled.default), None


def _shared(entry: Entry) -> bool:
    """Whether callers of equal rights get the same plan: not for what is the caller's own."""
    return entry.nodes[0].name.value not in ("users_me", "roles_me")


def _variables_key(variables: dict[str, Any]) -> bytes:
    return orjson.dumps(variables, option=orjson.OPT_SORT_KEYS) if variables else b""
