"""Operations of the server beside the items, in ``/graphql/system``."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from domain.graphql.definitions import Definitions
from domain.graphql.outline import Outline


def system_definitions(outline: Outline, found: Definitions) -> None:
    """Add the operations to a schema."""


def resolvers(request: web.Request) -> dict[str, Any]:
    """The functions behind the operations."""
    return {}
