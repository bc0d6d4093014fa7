"""A query as plain data: what a request asks for, before model and rights are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from domain.query.filters import Filter, terms

Meta = Literal["total_count", "filter_count", "cursor"]
Export = Literal["csv", "csv_utf8", "json", "xml", "yaml"]
TYPE_NAME = "__typename"
"""Where GraphQL asks for what an object is."""


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort key: a path whose last step may be a function."""

    path: tuple[str, ...]
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Parameters:
    """What may be asked at any level: at the root by the request itself, below it by ``deep``.

    ``limit`` is None when the request does not say, -1 for all. ``levels`` are the parameters of the
    relations below, by the name or alias under which each is selected (any-to-one: ``item:collection``).
    """

    filter: Filter | None = None
    sort: tuple[Sort, ...] = ()
    limit: int | None = None
    offset: int | None = None
    page: int | None = None
    search: str | None = None
    alias: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[str, Parameters] = field(default_factory=dict)

    @property
    def terms(self) -> int:
        """How many conditions, keys and names they hold, levels included."""
        own = (terms(self.filter) if self.filter else 0) + len(self.sort) + len(self.alias)
        return own + sum(1 + level.terms for level in self.levels.values())


NO_PARAMETERS = Parameters()


@dataclass(frozen=True, slots=True)
class Named:
    """A fixed text: the name of a type."""

    output: str
    text: str


@dataclass(frozen=True, slots=True)
class Plain:
    """A field's value in a form; of a to-many relation the keys."""

    output: str
    field: str
    form: str = "plain"


@dataclass(frozen=True, slots=True)
class Functions:
    """Functions of a field, as an object. `TYPE_NAME` among them is the fixed ``type_name``."""

    output: str
    field: str
    functions: tuple[tuple[str, str], ...]
    type_name: str = ""


@dataclass(frozen=True, slots=True)
class Related:
    """The item or items behind a relation."""

    output: str
    field: str
    members: Members
    parameters: Parameters = NO_PARAMETERS


@dataclass(frozen=True, slots=True)
class AnyRelated:
    """The item behind an any-to-one relation, members by its collection."""

    output: str
    field: str
    branches: tuple[tuple[str, Members], ...]


Member = Named | Plain | Functions | Related | AnyRelated
Members = tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class GroupMember:
    """One member of a group as GraphQL asks for it.

    ``function`` is an aggregate function with its ``fields`` (output name and field), ``countAll``, ``group``
    (the keys as an object), or empty for the fixed ``text``. `TYPE_NAME` among the fields is that text, too.
    """

    output: str
    function: str
    fields: tuple[tuple[str, str], ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """One read request.

    ``fields`` are paths split at their dots; functions stay one step (``year(published)``). ``aggregate``
    pairs functions with their fields; ``group`` is None unless asked for. ``after`` is the cursor of keyset
    pagination. ``members`` (of groups ``grouped``) stand in the place of ``fields`` where the request is a
    tree. ``bare`` tells that there were no parameters at all, so that a limit in it was not asked for.
    """

    fields: tuple[tuple[str, ...], ...] = (("*",),)
    root: Parameters = NO_PARAMETERS
    aggregate: tuple[tuple[str, tuple[str, ...]], ...] = ()
    group: tuple[str, ...] | None = None
    meta: tuple[Meta, ...] = ()
    export: Export | None = None
    version: str | None = None
    version_raw: bool = False
    backlink: bool = True
    after: str | None = None
    members: Members | None = None
    grouped: tuple[GroupMember, ...] | None = None
    bare: bool = field(default=False, compare=False)

    @property
    def terms(self) -> int:
        """How many fields, keys and conditions are named: what reading the query costs before any row."""
        named = len(self.fields) + len(self.group or ()) + sum(len(fields) for _, fields in self.aggregate)
        return named + self.root.terms

    @property
    def aggregated(self) -> bool:
        """Whether the answer holds groups instead of items."""
        return bool(self.aggregate) or self.group is not None or self.grouped is not None
