"""Errors that only GraphQL has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from domain.errors import ActaError


class _GraphQL(ActaError):
    """A GraphQL request that can't be executed; ``errors`` says why."""

    text: ClassVar[str] = ""

    def __init__(self, errors: Sequence[Any]) -> None:
        super().__init__(self.text, errors=list(errors))


class GraphQLValidation(_GraphQL):
    """A document that can't be parsed or does not fit the schema."""

    code, status, text = "GRAPHQL_VALIDATION", 400, "GraphQL validation error."


class GraphQLExecution(_GraphQL):
    """A request whose members are not what GraphQL takes."""

    code, status, text = "GRAPHQL_EXECUTION", 400, "GraphQL execution error."


class PersistedQueryNotFound(ActaError):
    """The hash of a document that this process has not seen; the client sends it with its text."""

    code, status = "PERSISTED_QUERY_NOT_FOUND", 200

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotFound")


class MethodNotAllowed(ActaError):
    """A method that the path does not have."""

    code, status = "METHOD_NOT_ALLOWED", 405

    def __init__(self, allowed: Sequence[str], current: str) -> None:
        super().__init__(f'Invalid method "{current}".', allowed=list(allowed), current=current)
