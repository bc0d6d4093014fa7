"""Answers of GraphQL: the bytes of root fields put together, errors in the contract's form (section 6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import GraphQLError, get_location
from graphql.language.ast import FieldNode

from domain.errors import ActaError, ErrorGroup, InternalError

Object = dict[str, Any]


@dataclass
class Answer:
    """What one operation has come to. ``lost`` tells that an error left nothing of ``data``."""

    data: list[tuple[str, bytes]] = field(default_factory=list)
    errors: list[Object] = field(default_factory=list)
    lost: bool = False

    def fail(self, name: str, error: Object, *, required: bool) -> None:
        """A root field has failed; one that can't be null takes all others with it."""
        self.errors.append(error)
        self.data.append((name, b"null"))
        self.lost = self.lost or required

    def body(self) -> bytes:
        """The JSON of the whole."""
        # Of many parts made at once: values may be large, and each step would copy them again.
        parts = [b"{"]
        if not self.lost:
            lead = b'"data":{"'
            for name, value in self.data:
                parts += (lead, name.encode(), b'":', value)
                lead = b',"'
            parts.append(b"}" if self.data else b'"data":{}')
        if self.errors:
            parts += (b'"errors":' if self.lost else b',"errors":', dumps(self.errors))
        parts.append(b"}")
        return b"".join(parts)


def only_errors(errors: Iterable[Object]) -> bytes:
    """The body of a request that could not be executed."""
    return dumps({"errors": list(errors)})


def dumps(value: Any) -> bytes:
    """JSON of values that may hold what JSON does not know."""
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)


def root_error(error: ActaError | ErrorGroup, node: FieldNode, *, admin: bool) -> Object:
    """The entry of an error in a root field; of several failed validations the first."""
    first = error.errors[0] if isinstance(error, ErrorGroup) else error
    entry = first.entry()
    if isinstance(first, InternalError) and not admin:
        return entry
    return {**entry, "locations": _locations(node), "path": [(node.alias or node.name).value]}


def _locations(node: FieldNode) -> list[Object]:
    if node.loc is None:
        return []
    place = get_location(node.loc.source, node.loc.start)
    return [{"line": place.line, "column": place.column}]


def request_error(error: GraphQLError | str) -> Object:
    """The entry of an error that kept an operation from being executed."""
    entry: Object = {"message": str(error) if isinstance(error, str) else error.message}
    entry["extensions"] = {"code": "INTERNAL_SERVER_ERROR"}
    if isinstance(error, GraphQLError) and error.locations:
        entry["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    return entry


def execution_error(error: GraphQLError) -> Object:
    """The entry of an error that graphql-core met."""
    original = error.original_error
    if isinstance(original, ErrorGroup):
        original = original.errors[0]
    entry = original.entry() if isinstance(original, ActaError) else request_error(error)
    if error.locations:
        entry["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path:
        entry["path"] = list(error.path)
    return entry
