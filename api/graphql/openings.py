"""What requests of one document may differ in and still share a prepared query.

The key of `<name>_by_id`, and texts that filters compare with: a statement is the same for all of them, so it
is written with places left open, which a request's values are put into. Whatever a value could change in the
plan is no such text: variables of the query language, the words that mean something else, the empty text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from graphql import OperationDefinitionNode, OperationType, VariableDefinitionNode
from graphql.language.ast import (
    ArgumentNode,
    FieldNode,
    NamedTypeNode,
    Node,
    NonNullTypeNode,
    ObjectFieldNode,
    TypeNode,
    VariableNode,
)

from api.graphql.documents import Document
from api.graphql.prepare import Prepared
from domain.query.operands import KeyPart, Operand, Value, Values

COMPARING = frozenset({"_eq", "_neq", "_lt", "_lte", "_gt", "_gte"})
LONGEST = 1000
_WORDS = frozenset({"", "true", "false", "null", "NULL"})
_MARK = "acta-open-place-"


@dataclass(frozen=True, slots=True)
class Openings:
    """The variables of an operation that can be left open.

    ``key`` is the one that is nothing but the key of the one item that is asked for, with the item's
    collection; ``texts`` are those that are only compared with.
    """

    key: tuple[str, str] | None = None
    texts: tuple[str, ...] = ()


NONE = Openings()


def openings(document: Document, operation: OperationDefinitionNode) -> Openings:
    """What an operation leaves open."""
    if operation.operation != OperationType.QUERY:
        return NONE
    uses = _Uses()
    for node in (operation.selection_set, *document.fragments.values()):
        uses.look(node, None, None)
    defined = {one.variable.name.value: one for one in operation.variable_definitions}
    texts = [
        name
        for name, definition in defined.items()
        if _is_text(definition.type) and uses.compared[name] and not uses.other[name]
    ]
    return Openings(_key(document, operation, uses, defined), tuple(texts))


def comparable(value: Any) -> bool:
    """Whether a value is a text that any other such text may stand for in a plan."""
    if not isinstance(value, str) or value in _WORDS or len(value) > LONGEST:
        return False
    return not value.startswith("$") and "\x00" not in value and value.isprintable()


def marks(names: Sequence[str]) -> Mapping[str, str]:
    """Texts that stand for those of a request while its query is prepared."""
    return {name: f"{_MARK}{place}." for place, name in enumerate(names)}


def left_open(prepared: Prepared, texts: int, first: int) -> Prepared | None:
    """A query whose marks are open places, counted from ``first``; None where one is more than an operand."""
    statement = prepared.statement
    if statement is None or len(prepared.entries) != 1 or not prepared.plans or prepared.past:
        # Of several root fields each may have to be tried alone, by its plan.
        return None
    if prepared.histories:
        # Their filters have to be known before they are read.
        return None
    places = {f"{_MARK}{place}.": KeyPart(first + place) for place in range(texts)}
    operands: list[Operand] = []
    for operand in statement.operands:
        if isinstance(operand, Value) and operand.text in places:
            operands.append(places[operand.text])
        elif _marked(operand):
            return None
        else:
            operands.append(operand)
    return replace(prepared, statement=replace(statement, operands=tuple(operands), fixed=None))


def _marked(operand: Operand) -> bool:
    texts: Sequence[str | None] = ()
    if isinstance(operand, Value):
        texts = (operand.text,)
    elif isinstance(operand, Values):
        texts = operand.texts
    return any(text is not None and _MARK in text for text in texts)


def _is_text(type_: TypeNode) -> bool:
    named = type_.type if isinstance(type_, NonNullTypeNode) else type_
    return isinstance(named, NamedTypeNode) and named.name.value in ("String", "ID")


@dataclass
class _Uses:
    """How often variables are compared with in filters, and otherwise used."""

    compared: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    other: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def look(self, node: Node, member: str | None, argument: str | None) -> None:
        """Count below a node, which stands in a member of an input object and an argument."""
        if isinstance(node, VariableNode):
            compared = argument == "filter" and member in COMPARING
            (self.compared if compared else self.other)[node.name.value] += 1
            return
        if isinstance(node, ObjectFieldNode):
            member = node.name.value
        elif isinstance(node, ArgumentNode):
            member, argument = None, node.name.value
        elif not isinstance(node, FieldNode) and node.kind in ("list_value", "directive"):
            member = None
        for name in node.keys:
            below = getattr(node, name, None)
            for one in below if isinstance(below, (tuple, list)) else (below,):
                if isinstance(one, Node):
                    self.look(one, member, argument)


def _key(
    document: Document,
    operation: OperationDefinitionNode,
    uses: _Uses,
    defined: Mapping[str, VariableDefinitionNode],
) -> tuple[str, str] | None:
    selections = operation.selection_set.selections
    if len(selections) != 1 or not isinstance(selections[0], FieldNode) or selections[0].directives:
        return None
    node = selections[0]
    root = document.schema.queries.get(node.name.value)
    if root is None or root.kind != "by_id" or len(node.arguments) != 1:
        return None
    value = node.arguments[0].value
    if not isinstance(value, VariableNode):
        return None
    name = value.name.value
    alone = uses.other[name] == 1 and not uses.compared[name]
    return (name, root.collection) if alone and not defined[name].default_value else None
