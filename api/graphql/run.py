"""Running operations: one statement for a query, one command after another for a mutation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from aiohttp import web
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLNonNull,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute,
)
from graphql.execution.values import get_variable_values

from api.graphql.answers import Answer, dumps, execution_error, only_errors, request_error, root_error
from api.graphql.compile import Compiled
from api.graphql.documents import Document, Documents
from api.graphql.kept import Asked, Ready
from api.graphql.mutations import OWN, Mutations
from api.graphql.past import at_moment
from api.graphql.persisted import Persisted
from api.graphql.prepare import Entry, Prepared, Preparing
from api.graphql.schema import Schemas
from api.graphql.shown import asked_roots, shown
from api.graphql.versions import read_version
from api.items import Items
from api.keys import CONTEXT, Context
from api.restating import restate_all
from domain.errors import ActaError, ErrorGroup, Forbidden, InternalError, ServiceUnavailable
from domain.graphql.outline import Scope
from domain.model import Model
from domain.query.plan import ReadPlan
from projections.reading.past import names_past
from projections.reading.statement import listed

LARGE = 50_000
"""Bytes of a body from which on it is made ready in a thread."""


@dataclass
class Engine:
    """Everything that executes GraphQL in this process."""

    schemas: Schemas
    documents: Documents
    preparing: Preparing
    items: Items
    persisted: Persisted
    ready: Ready

    def renew(self, model: Model) -> None:
        """After a change of the model: nothing is asked for by the one before any more."""
        self.documents.forget()
        self.ready.forget()
        self.schemas.warm(model)

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
        if (request.content_length or 0) > LARGE:
            # Nobody else waits while many values are looked at.
            return await self._run_large(request, document, operation, asked)
        if operation.operation == OperationType.QUERY:
            if await self.items.events.asks_queries():
                return await self._run_asked(request, document, operation, asked)
            present = not names_past(request.rel_url.raw_query_string)
            fast = self.ready.fast(document, operation, asked, context, present=present)
            if fast is not None:
                return await self._answer(request, document, asked, *fast)
        return await self._run(request, document, operation, asked, _coerced(document, operation, asked))

    async def _run_large(
        self, request: web.Request, document: Document, operation: OperationDefinitionNode, asked: Asked
    ) -> bytes:
        coerced = await asyncio.to_thread(_coerced, document, operation, asked)
        if isinstance(coerced, list) or operation.operation != OperationType.QUERY:
            return await self._run(request, document, operation, asked, coerced)
        if await self.items.events.asks_queries():
            return await self._run_asked(request, document, operation, asked)
        caller = request[CONTEXT].caller
        prepared = await asyncio.to_thread(self.preparing.query, document, operation, coerced, caller)
        return await self._answer(request, document, asked, prepared, ())

    async def _run_asked(
        self, request: web.Request, document: Document, operation: OperationDefinitionNode, asked: Asked
    ) -> bytes:
        """Run a query of which filters see each root field first."""
        coerced = await asyncio.to_thread(_coerced, document, operation, asked)
        if isinstance(coerced, list):
            return await self._run(request, document, operation, asked, coerced)
        context, preparing = request[CONTEXT], self.preparing
        collector = preparing.collector(document, coerced)
        roots = await asked_roots(self.items.events, context, collector, document, operation)
        prepared = await asyncio.to_thread(
            preparing.query, document, operation, coerced, context.caller, asked=roots
        )
        return await self._answer(request, document, asked, prepared, ())

    async def _run(
        self,
        request: web.Request,
        document: Document,
        operation: OperationDefinitionNode,
        asked: Asked,
        variables: dict[str, Any] | list[GraphQLError],
    ) -> bytes:
        if isinstance(variables, list):
            return only_errors(request_error(error) for error in variables)
        if operation.operation == OperationType.SUBSCRIPTION:
            found = self.preparing.collector(document, variables).fields(
                [operation.selection_set], "Subscription"
            )
            return dumps({"data": dict.fromkeys(found)})
        if operation.operation == OperationType.MUTATION:
            return await self._mutate(request, document, asked, operation, variables)
        prepared = self.ready.prepare(document, asked, operation, variables, request[CONTEXT])
        return await self._answer(request, document, asked, prepared, ())

    # -- queries -------------------------------------------------------------------------------------------

    async def _answer(
        self, request: web.Request, document: Document, asked: Asked, prepared: Prepared, key: Sequence[str]
    ) -> bytes:
        context = request[CONTEXT]
        if prepared.past or names_past(request.rel_url.raw_query_string):
            prepared = await at_moment(request, prepared)
        for compiled in prepared.histories:
            await self.items.reads.recalling.filtered(compiled.plan.collection, compiled.filter)
        found: dict[str, bytes | ActaError | ErrorGroup | None] = {}
        if prepared.statement is not None:
            found = await self._read(context, prepared, key)
        for entry in prepared.versions:
            found[entry.name] = await read_version(request, entry)
        await restate_all(request, found.values())
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
        self, context: Context, prepared: Prepared, key: Sequence[str]
    ) -> dict[str, bytes | ActaError | ErrorGroup | None]:
        """What the statement finds, by entry. When it fails, each plan is tried alone to find the culprit."""
        reader, plans = self.preparing.reader, prepared.distinct
        assert prepared.statement is not None
        found: list[bytes | ActaError | ErrorGroup | None]
        try:
            values = await reader.values(prepared.statement, context.caller, key)
        except ServiceUnavailable:
            raise
        except ActaError as error:
            found = [error] if len(plans) == 1 else [await self._alone(context, plan) for plan in plans]
        else:
            if len(plans) == 1:
                found = [(values[0] if values else None) if plans[0].single else listed(b"[", values, b"]")]
            else:
                found = list(values)
        for place, compiled in enumerate(prepared.answering):
            left = found[place] = await self._shown(context, compiled, found[place])
            if isinstance(left, bytes):
                await self.items.events.tell(context, compiled.plan.collection, partial(_told, left))
        columns = zip(prepared.plans, prepared.columns, strict=True)
        return {entry.name: found[column] for entry, column in columns}

    async def read_one(
        self, context: Context, compiled: Compiled, key: Sequence[str] = ()
    ) -> bytes | ActaError | ErrorGroup | None:
        """The answer of one root field as filters leave it, or its error; ``key`` are the parts of one that
        its plan leaves open."""
        return await self._shown(context, compiled, await self._alone(context, compiled.plan, key))

    async def _shown(
        self, context: Context, compiled: Compiled, value: bytes | ActaError | ErrorGroup | None
    ) -> bytes | ActaError | ErrorGroup | None:
        """What filters leave of an answer."""
        if not isinstance(value, bytes):
            return value
        try:
            return await shown(self.items.events, context, compiled, value)
        except ServiceUnavailable:
            raise
        except (ActaError, ErrorGroup) as error:
            return error

    async def _alone(
        self, context: Context, plan: ReadPlan, key: Sequence[str] = ()
    ) -> bytes | ActaError | ErrorGroup | None:
        reader = self.preparing.reader
        try:
            statement = reader.compiled([plan], context.model.version)
            values = await reader.values(statement, context.caller, key)
        except ServiceUnavailable:
            raise
        except (ActaError, ErrorGroup) as error:
            return error
        return (values[0] if values else None) if plan.single else listed(b"[", values, b"]")

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
        errors = result.errors or []
        await restate_all(request, [one.original_error for one in errors])
        for error in errors:
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
                    await restate_all(request, [error])
                    value = error
                _enter(answer, entry, value, admin=context.rights.admin)
            if answer.lost:
                break
        # What operations of the server answer may be secret, and is made anew.
        context.once = once if kept else None
        return answer.body()


def _told(value: bytes) -> tuple[dict[str, Any], Any]:
    # What the document selected is in the names of the members.
    return {}, orjson.loads(value)


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


def _coerced(
    document: Document, operation: OperationDefinitionNode, asked: Asked
) -> dict[str, Any] | list[GraphQLError]:
    """The values of variables, or what is wrong with them."""
    return get_variable_values(
        document.schema, operation.variable_definitions, asked.variables, max_errors=20
    )
