"""Arguments of fields to the query language: filters by their REST names, parameters of every level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError, GraphQLObjectType
from graphql.execution.values import get_argument_values
from graphql.language.ast import FieldNode, ListValueNode, ObjectValueNode, ValueNode, VariableNode

from domain.errors import InvalidQuery
from domain.graphql.outline import Outline
from domain.query.limits import QueryLimits
from domain.query.parse import parse_query
from domain.query.query import Parameters

_LOGIC = ("_and", "_or")
_QUANTIFIERS = ("_some", "_none")


def arguments_of(type_: GraphQLObjectType, node: FieldNode, variables: dict[str, Any]) -> dict[str, Any]:
    """The coerced arguments of a field.

    Raises:
        InvalidQuery: also for a variable that is null where its place takes no null.
    """
    if not node.arguments:
        definition = type_.fields[node.name.value]
        if not any(argument.default_value is not None for argument in definition.args.values()):
            return {}
    for argument in node.arguments:
        _refuse_unset(argument.value, variables, None)
    try:
        return get_argument_values(type_.fields[node.name.value], node, variables)
    except GraphQLError as error:
        raise InvalidQuery(error.message) from None


def _refuse_unset(node: ValueNode, variables: Mapping[str, Any], operator: str | None) -> None:
    """An operator whose operand is a variable without a value would silently be no condition at all."""
    if isinstance(node, VariableNode):
        if operator is not None and node.name.value not in variables:
            raise InvalidQuery(f'"{operator}" needs a value: variable "${node.name.value}" is not set')
    elif isinstance(node, ObjectValueNode):
        for member in node.fields:
            name = member.name.value
            is_operator = name.startswith("_") and name not in _LOGIC and name not in _QUANTIFIERS
            _refuse_unset(member.value, variables, name if is_operator else None)
    elif isinstance(node, ListValueNode):
        for entry in node.values:
            _refuse_unset(entry, variables, operator)


def root_parameters(
    outline: Outline, collection: str, given: Mapping[str, Any], limits: QueryLimits
) -> Parameters:
    """The parameters of a root list."""
    return parameters(parameters_of(outline, collection, given), limits)


def parameters(query: Mapping[str, Any], limits: QueryLimits) -> Parameters:
    """The parameters of a query in the names of REST; what it selects does not count."""
    return parse_query({**query, "fields": None}, limits).root


def nested_parameters(
    outline: Outline, collection: str, given: Mapping[str, Any], limits: QueryLimits
) -> Parameters:
    """The parameters of a relation."""
    if not given:
        return Parameters()
    raw = {f"_{name}": value for name, value in parameters_of(outline, collection, given).items()}
    return parse_query({"deep": {"here": raw}}, limits).root.levels["here"]


def parameters_of(outline: Outline, collection: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a list in the names of REST."""
    raw = {name: given[name] for name in ("limit", "offset", "page", "search") if given.get(name) is not None}
    if given.get("sort") is not None:
        raw["sort"] = _texts(given["sort"])
    if given.get("filter") is not None:
        raw["filter"] = rest_filter(outline, collection, given["filter"])
    return raw


def _texts(given: Any) -> list[str]:
    return [entry for entry in given if entry]


def rest_filter(outline: Outline, collection: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A filter in the names of REST: ``f_func: {year: x}`` is ``year(f)``, ``item__c`` is ``item:c``."""
    fields = outline.fields(collection, "read")
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in _LOGIC:
            if value is not None:
                found[name] = [
                    rest_filter(outline, collection, entry) for entry in value if entry is not None
                ]
            continue
        if name in _QUANTIFIERS:
            if value is not None:
                found[name] = rest_filter(outline, collection, value)
            continue
        shape = fields.get(name)
        if value is None:
            raise InvalidQuery(f'"{name}" has to be an object')
        if shape is None:
            _special(outline, fields, name, value, found)
        elif shape.related:
            found[name] = rest_filter(outline, shape.related, value)
        else:
            found[name] = dict(value)
    return found


def _special(
    outline: Outline, fields: Mapping[str, Any], name: str, value: Mapping[str, Any], found: dict[str, Any]
) -> None:
    if name.endswith("_func") and name[:-5] in fields:
        for function, operators in value.items():
            if operators is not None:
                found[f"{function}({name[:-5]})"] = dict(operators)
        return
    item, _, target = name.partition("__")
    for shape in fields.values():
        if shape.kind == "any" and name.startswith(f"{shape.name}__"):
            item, target = shape.name, name[len(shape.name) + 2 :]
    found[f"{item}:{target}"] = rest_filter(outline, target, value)
