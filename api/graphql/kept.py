"""Queries that are kept ready to run, by what requests share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from graphql import OperationDefinitionNode
from graphql.execution.values import get_variable_values

from api.graphql.documents import EACH, Document
from api.graphql.openings import Openings, comparable, left_open, marks, openings
from api.graphql.prepare import Prepared, Preparing
from api.keys import Context
from domain.errors import Forbidden
from domain.lru import Lru
from domain.query.planner import key_parts

KEPT = 8_000_000
"""Characters of the documents, values and statements of all kept queries, with what each counts beside."""
LONGEST_VARIABLES = 4000
_Place = tuple[Document, str | None, bool, bool, tuple[str, ...], bytes]
"""Document and operation, whether the caller is a user and has a role (variables that stand for them are
planned as null without), the variables that are left open, the values of the others."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the document's text, variables, and which operation."""

    text: str
    variables: dict[str, Any]
    operation: str | None = None


class Ready:
    """Prepared queries, the ones unused for longest given up."""

    def __init__(self, preparing: Preparing) -> None:
        self._preparing = preparing
        self._prepared: Lru[_Place, Prepared] = Lru(KEPT)
        self._open: Lru[tuple[Document, int], Openings] = Lru(KEPT)

    def fast(
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
        place = _place(document, asked, context, texts, variables)
        prepared = self._prepared.get(place)
        if prepared is None and (left.key is not None or texts):
            prepared = self._prepare_open(document, operation, asked, context, texts, first)
            if prepared is not None:
                self._keep(place, prepared)
        return None if prepared is None else (prepared, values)

    def forget(self) -> None:
        """Give up all: they hold their documents, and those their schemas."""
        self._prepared.clear()
        self._open.clear()

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
        prepared = self._preparing.query(
            document, operation, coerced, context.caller, open_key=left.key is not None
        )
        if not texts:
            return prepared
        found = left_open(prepared, len(texts), first)
        if found is None:
            self._open.put((document, id(operation)), replace(left, texts=()), EACH + document.size)
        return found

    def _left_open(self, document: Document, operation: OperationDefinitionNode) -> Openings:
        place = (document, id(operation))
        known = self._open.get(place)
        if known is None:
            known = openings(document, operation)
            self._open.put(place, known, EACH + document.size)
        return known

    def prepare(
        self,
        document: Document,
        asked: Asked,
        operation: OperationDefinitionNode,
        variables: dict[str, Any],
        context: Context,
    ) -> Prepared:
        """The query for these very variables; kept unless it is the caller's own."""
        place = _place(document, asked, context, (), asked.variables)
        prepared = self._prepared.get(place)
        if prepared is None:
            prepared = self._preparing.query(document, operation, variables, context.caller)
            self._keep(place, prepared)
        return prepared

    def _keep(self, place: _Place, prepared: Prepared) -> None:
        if prepared.shared and len(place[-1]) <= LONGEST_VARIABLES:
            statement = prepared.statement
            size = place[0].size + len(place[-1]) + (len(statement.text) if statement else 0)
            self._prepared.put(place, prepared, EACH + size)


def _place(
    document: Document, asked: Asked, context: Context, left: tuple[str, ...], values: dict[str, Any]
) -> _Place:
    caller = context.caller
    key = orjson.dumps(values, option=orjson.OPT_SORT_KEYS) if values else b""
    return document, asked.operation, caller.user is None, caller.role is None, left, key
