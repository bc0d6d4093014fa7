"""The limits that a query is held to; each is a setting of the server."""

from __future__ import annotations

from dataclasses import dataclass

from domain.settings import QuerySettings


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """``default`` and ``maximum`` are rows (-1: none); the others bound what one request can cost.

    ``depth`` counts relation steps of a path, ``json_depth`` the steps of a path inside a JSON value,
    ``relations`` the relations that one query goes along, ``terms`` the fields, keys and conditions that it
    names, ``brackets`` and ``elements`` what the notation of query strings may hold, ``timeout`` the seconds
    that one statement may run.
    """

    default: int = 100
    maximum: int = -1
    depth: int = 10
    json_depth: int = 10
    relations: int = 500
    terms: int = 5000
    brackets: int = 10
    elements: int = 500
    timeout: float = 30.0

    @classmethod
    def of(cls, settings: QuerySettings, timeout_ms: int) -> QueryLimits:
        """The limits of the settings; ``timeout_ms`` is that of one statement."""
        return cls(
            default=settings.limit_default,
            maximum=settings.limit_max or -1,
            depth=settings.max_relational_depth,
            json_depth=settings.max_json_depth,
            relations=settings.max_relations,
            terms=settings.max_terms,
            brackets=settings.max_parse_depth,
            elements=settings.array_limit,
            timeout=timeout_ms / 1000,
        )

    def rows(self, asked: int | None) -> int:
        """The number of rows to answer with, -1 for all."""
        if asked is None:
            return self.default if self.maximum < 0 else min(self.default, self.maximum)
        return self.maximum if asked < 0 else asked
