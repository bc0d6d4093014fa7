"""Documents: parsed and validated once per schema and text."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)
from graphql.language.ast import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode
from graphql.validation import NoSchemaIntrospectionCustomRule, specified_rules

from api.graphql.schema import LazySchema
from domain.graphql.errors import GraphQLValidation
from domain.lru import Lru

KEPT = 1_000_000
LONGEST_KEPT = 20_000
"""Characters of all documents and of one; a longer document is made anew each time."""
EACH = 500
"""What a document counts beside its text."""
LARGE = 2000
"""Characters from which on a document is parsed in a thread, so that nobody else waits for it."""
MOST_ALIKE = 200
"""How often one response name may be asked for in one place."""
MOST_VISITS = 20_000
"""Fields and fragments after fragments are put in; also ends those that contain themselves."""


@dataclass(frozen=True, eq=False)
class Document:
    """A valid document; ``size`` is that of its text."""

    schema: LazySchema
    size: int
    operations: tuple[OperationDefinitionNode, ...]
    fragments: Mapping[str, FragmentDefinitionNode]

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The operation that a request means, None if it can't be told."""
        if name is None:
            return self.operations[0] if len(self.operations) == 1 else None
        return next((one for one in self.operations if one.name and one.name.value == name), None)


class Documents:
    """Parsed documents by schema and text. ``tokens`` is what one may hold, ``introspection`` the setting."""

    def __init__(self, tokens: int, *, introspection: bool) -> None:
        self._tokens = tokens
        self._rules = [*specified_rules, *(() if introspection else (NoSchemaIntrospectionCustomRule,))]
        self._known: Lru[tuple[int, str], Document] = Lru(KEPT)

    def known(self, schema: LazySchema, text: str) -> Document | None:
        """A document that was read before with this very schema."""
        found = self._known.get((id(schema), text))
        return found if found is not None and found.schema is schema else None

    async def read(self, schema: LazySchema, text: str) -> Document:
        """The document of a text.

        Raises:
            GraphQLValidation: what is wrong with it.
        """
        found = self.known(schema, text)
        if found is not None:
            return found
        made = (
            await asyncio.to_thread(self.make, schema, text) if len(text) > LARGE else self.make(schema, text)
        )
        if len(text) <= LONGEST_KEPT:
            self._known.put((id(schema), text), made, EACH + len(text))
        return made

    def forget(self) -> None:
        """Give up all: they hold their schemas."""
        self._known.clear()

    def make(self, schema: LazySchema, text: str) -> Document:
        """Parse and validate."""
        try:
            parsed = parse(text, max_tokens=self._tokens)
            _refuse_alike(parsed)
            errors: Sequence[GraphQLError] = validate(schema, parsed, self._rules, max_errors=50)
        except GraphQLError as error:
            errors = [error]
        except RecursionError:
            errors = [GraphQLError("The document is nested too deeply.")]
        if errors:
            raise GraphQLValidation([plain(error) for error in errors])
        return Document(
            schema,
            len(text),
            tuple(node for node in parsed.definitions if isinstance(node, OperationDefinitionNode)),
            {
                node.name.value: node
                for node in parsed.definitions
                if isinstance(node, FragmentDefinitionNode)
            },
        )


def is_mutation(operation: OperationDefinitionNode) -> bool:
    """Whether an operation may change something."""
    return operation.operation == OperationType.MUTATION


def plain(error: GraphQLError) -> dict[str, Any]:
    """An error of graphql-core as JSON."""
    found: dict[str, Any] = {"message": error.message}
    if error.locations:
        found["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    return found


def _refuse_alike(document: DocumentNode) -> None:
    """Refuse what would take long to validate: fields of one response name are checked against each other."""
    fragments = {
        node.name.value: node.selection_set
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    visits = 0
    pending: list[list[SelectionSetNode]] = [
        [node.selection_set] for node in document.definitions if isinstance(node, OperationDefinitionNode)
    ]
    while pending:
        alike: dict[str, list[SelectionSetNode | None]] = {}
        sets, spread = list(pending.pop()), set()
        while sets:
            for selection in sets.pop().selections:
                visits += 1
                if isinstance(selection, FieldNode):
                    name = (selection.alias or selection.name).value
                    alike.setdefault(name, []).append(selection.selection_set)
                elif isinstance(selection, InlineFragmentNode):
                    sets.append(selection.selection_set)
                elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in spread:
                    spread.add(selection.name.value)
                    if selection.name.value in fragments:
                        sets.append(fragments[selection.name.value])
        for name, below in alike.items():
            if len(below) > MOST_ALIKE:
                raise GraphQLError(f'The document asks for "{name}" too often.')
            pending.append([found for found in below if found is not None])
        if visits > MOST_VISITS:
            raise GraphQLError("The document asks for too many fields.")
