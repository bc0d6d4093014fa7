"""The scalars of section 3. Values go out as SQL has written them, so only what comes in is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import graphene
from graphql import GraphQLError, Undefined
from graphql.language import ast
from graphql.utilities import value_from_ast_untyped

Literal = Callable[[ast.ValueNode, Mapping[str, Any] | None], Any]


def _any_literal(node: ast.ValueNode, variables: Mapping[str, Any] | None = None) -> Any:
    return value_from_ast_untyped(node, dict(variables or {}))


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if not isinstance(value, str):
        raise GraphQLError(f"String cannot represent a non string value: {value!r}")
    return value


def _text_literal(node: ast.ValueNode, _: Mapping[str, Any] | None = None) -> Any:
    if not isinstance(node, ast.StringValueNode):
        raise GraphQLError("String cannot represent a non string value", node)
    return node.value


def _big(value: Any) -> Any:
    if not isinstance(value, str) or not value.strip().lstrip("+-").isdecimal():
        raise GraphQLError("GraphQLBigInt has to be a text of digits")
    return value.strip()


def _big_literal(node: ast.ValueNode, _: Mapping[str, Any] | None = None) -> Any:
    if not isinstance(node, ast.StringValueNode):
        raise GraphQLError("GraphQLBigInt has to be a text of digits", node)
    return _big(node.value)


def _number_or_text(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise GraphQLError("GraphQLStringOrFloat has to be a string or a number")
    return value


def _number_or_text_literal(node: ast.ValueNode, _: Mapping[str, Any] | None = None) -> Any:
    if isinstance(node, ast.IntValueNode):
        return int(node.value) if len(node.value) < 300 else Undefined
    if isinstance(node, ast.FloatValueNode):
        return float(node.value)
    if isinstance(node, ast.StringValueNode):
        return node.value
    raise GraphQLError("GraphQLStringOrFloat has to be a string or a number", node)


def _same(value: Any) -> Any:
    return value


def _no_literal(_node: ast.ValueNode, _variables: Mapping[str, Any] | None = None) -> None:
    return None


def _nothing(_: Any) -> None:
    return None


def _scalar(
    name: str,
    parse_value: Callable[[Any], Any],
    parse_literal: Literal,
    serialize: Callable[[Any], Any] = _same,
) -> type[Any]:
    members = {
        "serialize": staticmethod(serialize),
        "parse_value": staticmethod(parse_value),
        "parse_literal": staticmethod(parse_literal),
    }
    return type(name, (graphene.Scalar,), members)


SCALARS: Mapping[str, type[Any]] = {
    "ID": graphene.ID,
    "String": graphene.String,
    "Int": graphene.Int,
    "Float": graphene.Float,
    "Boolean": graphene.Boolean,
    "GraphQLBigInt": _scalar("GraphQLBigInt", _big, _big_literal, str),
    "Date": _scalar("Date", _text, _text_literal),
    "Hash": _scalar("Hash", _text, _text_literal),
    "JSON": _scalar("JSON", _same, _any_literal),
    "GraphQLGeoJSON": _scalar("GraphQLGeoJSON", _same, _any_literal),
    "GraphQLStringOrFloat": _scalar("GraphQLStringOrFloat", _number_or_text, _number_or_text_literal),
    "Void": _scalar("Void", _nothing, _no_literal, _nothing),
}


def json_scalar(name: str) -> type[Any]:
    """A scalar of a name of its own that stands for any JSON."""
    return _scalar(name, _same, _any_literal)
