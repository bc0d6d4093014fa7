"""One condition on one expression: is the operator allowed for the type, and what is its operand."""

from __future__ import annotations

from typing import Any

from domain.errors import ActaError, InvalidQuery
from domain.model import Field
from domain.query import dynamic
from domain.query.fields import FUNCTION_OPERATORS, NUMERIC, TEXT_TYPES, operators
from domain.query.filters import GEOMETRY, SWITCHES, TEXTS, Condition
from domain.query.operands import Dynamic, LookedUp, Operand, Value, Values
from domain.query.parse import number
from domain.query.plan import (
    Between,
    Call,
    Compare,
    Either,
    Expression,
    Masked,
    Predicate,
    Ref,
    Text,
    Truth,
    both,
)
from domain.query.scope import Scope

_OWNERS = {
    "user": "directus_users",
    "role": "directus_roles",
    "roles": "directus_roles",
    "policies": "directus_policies",
}


def null_meets(operator: str, value: Any) -> bool:
    """Whether NULL meets a condition."""
    if operator in ("_null", "_empty"):
        return bool(value)
    if operator in ("_nnull", "_nempty"):
        return not value
    return operator == "_eq" and value is None


def comparison(scope: Scope, expression: Expression, field: Field, condition: Condition) -> Predicate:
    """A condition on a column."""
    operator = condition.operator
    # Stored rules may use any operator on any type that PostgreSQL can compare.
    if operator not in operators(field) and not (scope.stored and operator not in GEOMETRY):
        raise InvalidQuery(
            f'"{field.type}" field type does not contain the "{operator}" filter operator '
            f'(in "{".".join(condition.path)}")'
        )
    text = _column_type(expression) in TEXT_TYPES
    if operator in SWITCHES:
        return _switch(expression, operator, bool(condition.value), text)
    if operator in TEXTS and not text:
        expression, text = Text(expression), True
    if _compared_as_text(field, expression):
        expression = Text(expression)
    numeric = field.type in NUMERIC and not text
    return _compare(scope, expression, operator, condition, numeric)


def function_comparison(
    scope: Scope, expression: Expression, function: str, condition: Condition
) -> Predicate:
    """A condition on the result of a function."""
    operator = condition.operator
    if function == "json":
        return _json_comparison(scope, expression, condition)
    if operator not in FUNCTION_OPERATORS:
        raise InvalidQuery(f'A function does not contain the "{operator}" filter operator')
    if operator in SWITCHES:
        return _switch(expression, operator, bool(condition.value), False)
    return _compare(scope, expression, operator, condition, numeric=True)


def _json_comparison(scope: Scope, expression: Expression, condition: Condition) -> Predicate:
    """Values inside JSON compare as numbers with numbers and as text with all else."""
    operator = condition.operator
    if operator in GEOMETRY:
        raise InvalidQuery(f'A JSON value does not contain the "{operator}" filter operator')
    if operator in SWITCHES:
        return _switch(expression, operator, bool(condition.value), True)
    given = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    numeric = all(isinstance(entry, (int, float)) and not isinstance(entry, bool) for entry in given)
    compared: Expression = (
        Call("number", expression, "json") if numeric and operator not in TEXTS else expression
    )
    return _compare(scope, compared, operator, condition, numeric=False)


def _column_type(expression: Expression) -> str:
    if isinstance(expression, Masked):
        return _column_type(expression.expression)
    if isinstance(expression, Ref):
        return expression.type
    return "text" if isinstance(expression, Text) else ""


def _compared_as_text(field: Field, expression: Expression) -> bool:
    # JSON has no equality, and a key stored as another type than its field's is compared by its text.
    return _column_type(expression) in ("json", "xml", "point") or (field.type == "json" and not field.alias)


def _switch(expression: Expression, operator: str, value: bool, text: bool) -> Predicate:
    positive = value == (operator in ("_null", "_empty"))
    missing = Compare("null" if positive else "nnull", expression)
    if operator in ("_null", "_nnull") or not text:
        return missing
    if positive:
        return Either((missing, Compare("eq", expression, Value(""))))
    return both(missing, Compare("neq", expression, Value(""))) or Truth(True)


def _compare(
    scope: Scope, expression: Expression, operator: str, condition: Condition, numeric: bool
) -> Predicate:
    value = condition.value
    if operator in ("_between", "_nbetween"):
        low, high = (_operand(scope, entry, condition, numeric) for entry in value)
        return Between(expression, low, high, negated=operator == "_nbetween")
    if operator in ("_in", "_nin"):
        return _membership(scope, expression, operator, condition, numeric)
    if value is None and operator in ("_eq", "_neq"):
        return Compare("null" if operator == "_eq" else "nnull", expression)
    operand = _operand(scope, value, condition, numeric)
    if isinstance(operand, LookedUp):
        return Compare(operator[1:], Text(expression), operand)
    if isinstance(operand, Dynamic) and dynamic.is_list(operand):
        return Compare({"_eq": "in", "_neq": "nin"}.get(operator, operator[1:]), Text(expression), operand)
    if operator in TEXTS:
        operand = _pattern(operator, operand)
    return Compare(operator[1:], expression, operand)


def _membership(
    scope: Scope, expression: Expression, operator: str, condition: Condition, numeric: bool
) -> Predicate:
    operands = [_operand(scope, entry, condition, numeric) for entry in condition.value]
    plain = [operand for operand in operands if isinstance(operand, Value)]
    members: list[Predicate] = [
        Compare(operator[1:], Text(expression), operand)
        for operand in operands
        if not isinstance(operand, Value)
    ]
    if plain or not members:
        members.append(Compare(operator[1:], expression, Values(tuple(operand.text for operand in plain))))
    if len(members) == 1:
        return members[0]
    return Either(tuple(members)) if operator == "_in" else (both(*members) or Truth(True))


def _operand(scope: Scope, value: Any, condition: Condition, numeric: bool) -> Operand:
    if isinstance(value, str) and value.startswith("$"):
        named = dynamic.variable(value)
        if named is not None:
            return _looked_up(scope, *named) if named[1] else named[0]
    if numeric and value is not None:
        amount = number(value)
        if amount is None:
            raise InvalidQuery(f'"{condition.operator}" on "{".".join(condition.path)}" has to be a number')
        return Value(text_of(amount))
    return Value(None if value is None else text_of(value))


def text_of(value: Any) -> str:
    """A JSON value as the text that JavaScript makes of it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return str(value)


def _pattern(operator: str, operand: Operand) -> Operand:
    """A LIKE pattern; wildcards in the value stay alive, as in the reference."""
    if not isinstance(operand, Value) or operand.text is None:
        return operand
    text = operand.text
    # A lone backslash at the end would escape nothing, which PostgreSQL refuses.
    if (len(text) - len(text.rstrip("\\"))) % 2:
        text += "\\"
    if "contains" in operator:
        return Value(f"%{text}%")
    return Value(f"{text}%" if "starts" in operator else f"%{text}")


def _looked_up(scope: Scope, owner: Dynamic, path: tuple[str, ...]) -> Operand:
    """A value from the caller's own rows, read under the caller's rights."""
    from domain.query.ordering import value_at

    try:
        collection = scope.collection(_OWNERS[owner.name])
        row = scope.row(collection)
        expression = value_at(scope, collection, row, path, ())
    except ActaError:
        raise InvalidQuery("Invalid filter object") from None
    key = Text(scope.ref(row, collection, collection.primary_key[0]))
    return LookedUp(row, key, owner, Text(expression))
