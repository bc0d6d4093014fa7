"""CollectFields of the specification: what selections come to, fragments and directives resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLSkipDirective,
    GraphQLUnionType,
)
from graphql.execution.values import get_directive_values
from graphql.language.ast import (
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    NamedTypeNode,
    SelectionSetNode,
)

from api.graphql.schema import LazySchema
from domain.errors import InvalidQuery

MOST_FIELDS = 10_000

Collected = dict[str, list[FieldNode]]


class Collector:
    """Collects the fields of one operation."""

    def __init__(
        self, schema: LazySchema, fragments: Mapping[str, FragmentDefinitionNode], variables: dict[str, Any]
    ) -> None:
        self.schema = schema
        self.variables = variables
        self._fragments = fragments
        self._count = 0

    def fields(self, sets: Iterable[SelectionSetNode | None], type_name: str) -> Collected:
        """The fields that selection sets ask of an object of a type, by response name."""
        found: Collected = {}
        visited: set[str] = set()
        for selections in sets:
            if selections is not None:
                self._collect(selections, type_name, found, visited)
        return found

    def below(self, nodes: Iterable[FieldNode], type_name: str) -> Collected:
        """The same of what stands below fields that share a response name."""
        return self.fields((node.selection_set for node in nodes), type_name)

    def _collect(
        self, selections: SelectionSetNode, type_name: str, found: Collected, visited: set[str]
    ) -> None:
        for node in selections.selections:
            if node.directives and not self._included(node):
                continue
            if isinstance(node, FieldNode):
                name = (node.alias or node.name).value
                self._count += 1
                if self._count > MOST_FIELDS:
                    raise InvalidQuery(f"The query asks for more than {MOST_FIELDS} fields")
                found.setdefault(name, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                condition: NamedTypeNode | None = node.type_condition
                if condition is None or self._applies(condition.name.value, type_name):
                    self._collect(node.selection_set, type_name, found, visited)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in visited:
                visited.add(node.name.value)
                fragment = self._fragments[node.name.value]
                if self._applies(fragment.type_condition.name.value, type_name):
                    self._collect(fragment.selection_set, type_name, found, visited)

    def _applies(self, condition: str, type_name: str) -> bool:
        if condition == type_name:
            return True
        found = self.schema.get_type(condition)
        return isinstance(found, GraphQLUnionType) and any(one.name == type_name for one in found.types)

    def _included(self, node: Any) -> bool:
        try:
            skip = get_directive_values(GraphQLSkipDirective, node, self.variables)
            if skip is not None and skip["if"]:
                return False
            include = get_directive_values(GraphQLIncludeDirective, node, self.variables)
        except GraphQLError as error:
            raise InvalidQuery(error.message) from None
        return include is None or bool(include["if"])
