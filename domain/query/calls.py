"""Functions of fields: parts of dates, counts, values inside JSON."""

from __future__ import annotations

import re

from domain.errors import InvalidQuery
from domain.model import Collection, Field
from domain.query.fields import FUNCTIONS, functions, require_open
from domain.query.plan import Call, Counted, Expression, JsonPath, Masked, Row
from domain.query.scope import Path, Scope
from domain.query.visibility import mask, masked, row_rule

_STEP = re.compile(r"([^.\[\]*?@$]+)|\[(\d+)\]")


def called(
    scope: Scope,
    collection: Collection,
    row: Row,
    call: tuple[str, str],
    path: Path,
    *,
    names: tuple[str, ...] = (),
    filtering: bool = False,
) -> Expression:
    """The expression of ``function(argument)`` on a row.

    Raises:
        Forbidden: for a field that is missing or not readable.
        InvalidQuery: for an unknown function, or one that the field's type does not have.
    """
    function, argument = call
    if function not in FUNCTIONS:
        raise InvalidQuery(f'Invalid function specified "{function}"')
    if function == "json":
        return _json(scope, collection, row, argument, path, names, filtering)
    field = scope.field(collection, argument, path)
    if function not in functions(field):
        raise InvalidQuery(f'Invalid function specified "{function}" for field "{argument}"')
    if function == "count" and field.alias:
        return _count(scope, collection, row, field, path, names)
    require_open(field, "given to a function")
    return Call(function, masked(scope, collection, row, field, names), _type(field))


def function_key(call: tuple[str, str]) -> str:
    """The name under which a function's value stands in the answer."""
    function, argument = call
    if function != "json":
        return f"{argument}_{function}"
    name, _, steps = argument.partition(",")
    parts = [name.strip(), *json_steps(steps)]
    return "_".join(parts) + "_json"


def function_field(call: tuple[str, str]) -> str:
    """The field that a function is applied to."""
    return call[1].partition(",")[0].strip() if call[0] == "json" else call[1]


def _type(field: Field) -> str:
    base = field.column.base_type if field.column else ""
    if field.type == "json":
        return base
    # What a cast special says of the column decides how its moments are read.
    return base if base.startswith(("timestamp", "date", "time")) else field.type


def _count(
    scope: Scope, collection: Collection, row: Row, field: Field, path: Path, names: tuple[str, ...]
) -> Expression:
    side = scope.side(collection, field.name)
    if side is None or side.kind != "o2m":
        raise InvalidQuery(f'Invalid function specified "count" for field "{field.name}"')
    child = scope.collection(side.relation.collection, (*path, field.name))
    hop = scope.to_many(row, collection, child, side.relation.field, field.name)
    counted = Counted(hop.row, hop.link, row_rule(scope, child, hop.row))
    visible = mask(scope, collection, row, field.name, names)
    return counted if visible is None else Masked(counted, visible)


def _json(
    scope: Scope,
    collection: Collection,
    row: Row,
    argument: str,
    path: Path,
    names: tuple[str, ...],
    text: bool,
) -> Expression:
    name, comma, steps = argument.partition(",")
    field = scope.field(collection, name.strip(), path)
    if field.type != "json":
        raise InvalidQuery(f'Invalid function specified "json" for field "{name.strip()}"')
    require_open(field, "given to a function")
    inside = json_steps(steps) if comma else ()
    if not inside:
        raise InvalidQuery('"json" needs a field and a path')
    if len(inside) > scope.limits.json_depth:
        raise InvalidQuery(f'"json" path is deeper than {scope.limits.json_depth}')
    return JsonPath(masked(scope, collection, row, field, names), inside, text)


def json_steps(text: str) -> tuple[str, ...]:
    """The steps of ``a.b[0].c``.

    Raises:
        InvalidQuery: for anything but names and indices.
    """
    text, position = text.strip(), 0
    steps: list[str] = []
    while position < len(text):
        if text[position] == "." and steps:
            position += 1
        match = _STEP.match(text, position)
        if match is None:
            raise InvalidQuery(f'Invalid JSON path "{text}"')
        steps.append(match[1] or match[2])
        position = match.end()
    return tuple(steps)
