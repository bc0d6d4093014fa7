"""The immutable model: what a request is parsed, planned and authorised against.

A model is built whole from the catalog and the metadata tables and replaced whole after a schema
event; requests in flight keep the one they began with. Nothing in it is ever changed in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, Literal

from domain.model.types import field_type


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """The foreign key of one column (those over several columns: ``Collection.composite_keys``)."""

    constraint: str
    schema: str
    table: str
    column: str
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"


@dataclass(frozen=True, slots=True)
class CompositeForeignKey:
    """A foreign key over several columns: no relation, but known to whoever deletes or restores rows."""

    constraint: str
    columns: tuple[str, ...]
    schema: str
    table: str
    targets: tuple[str, ...]
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"


@dataclass(frozen=True, slots=True)
class Check:
    """A check of a table, or of a domain: what has to hold of its rows, and the columns it speaks of."""

    name: str
    expression: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Domain:
    """What a domain demands beyond its type, the domains under it included."""

    required: bool = False
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the catalog tells it.

    ``data_type`` is PostgreSQL's name without length (``character varying``); ``sql_type`` is the full,
    schema-qualified name to cast to (``character varying(255)``, ``public.mpaa_rating``). ``base_type`` is
    the type under domains (equals ``data_type`` elsewhere); ``category`` is ``pg_type.typtype`` of the
    column's own type (b base, c composite, d domain, e enum, r range, m multirange). ``default`` is the
    expression's text.

    ``unique`` tells of a constraint on this column alone (the primary key included), ``indexed`` of a
    non-unique index on it alone, ``leading`` of any index by which rows of one value of it are found at once
    (so it may be the first of several columns). ``primary_key`` is True for every column of the key,
    composite ones too. ``auto_increment`` tells of a primary key column that owns a sequence; ``sequence`` is
    the quoted, qualified name of the sequence a column owns. ``labels`` are the values of an enum, also under
    a domain; ``domain`` is what that demands.
    """

    name: str
    data_type: str
    sql_type: str
    base_type: str
    category: str = "b"
    default: str | None = None
    max_length: int | None = None
    numeric_precision: int | None = None
    numeric_scale: int | None = None
    nullable: bool = True
    unique: bool = False
    indexed: bool = False
    leading: bool = False
    primary_key: bool = False
    auto_increment: bool = False
    sequence: str | None = None
    identity: Literal["", "a", "d"] = ""
    generation: str | None = None
    comment: str | None = None
    foreign_key: ForeignKey | None = None
    labels: tuple[str, ...] = ()
    domain: Domain | None = None

    @property
    def generated(self) -> bool:
        """Whether the database computes the value and refuses any other."""
        return self.generation is not None

    @property
    def has_default(self) -> bool:
        """Whether an insert may leave the column out although it is not nullable."""
        return self.default is not None or self.identity != "" or self.generated


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a collection: a column, an alias for a relation's other side, or mere presentation.

    ``type`` is the wire type (string, text, integer, bigInteger, ..., alias, unknown) as the item API reads
    it, ``schema_type`` the one ``/fields`` shows. ``meta`` is the metadata row in wire form, None for
    untracked fields. ``system`` marks the built-in fields of system collections (custom ones are ordinary).
    """

    collection: str
    name: str
    type: str
    column: Column | None = None
    special: tuple[str, ...] = ()
    meta: Mapping[str, Any] | None = None
    system: bool = False

    @property
    def alias(self) -> bool:
        """Whether no column stands behind the field."""
        return self.column is None

    @property
    def schema_type(self) -> str:
        """The type as ``/fields`` shows it; differs for numerics without precision, domains and citext."""
        if self.column is None:
            return self.type
        column = self.column
        return field_type(
            column.data_type, self.special, precision=column.numeric_precision, scale=column.numeric_scale
        )

    @property
    def presentation(self) -> bool:
        """Whether the field exists for user interfaces only and is no field of the item API."""
        return "no-data" in self.special

    @property
    def concealed(self) -> bool:
        """Whether the value is masked in every answer."""
        return "conceal" in self.special or "encrypt" in self.special

    @property
    def secret(self) -> bool:
        """Whether the column holds secrets or digests of secrets."""
        return self.concealed or "hash" in self.special or self.type == "hash"

    @property
    def searchable(self) -> bool:
        """Whether ``search`` may look at the field."""
        return not self.concealed and (self.meta is None or self.meta.get("searchable") is not False)


@dataclass(frozen=True, slots=True)
class RelationMeta:
    """A row of the relations table; names as on the wire."""

    id: int | None
    many_collection: str
    many_field: str
    one_collection: str | None = None
    one_field: str | None = None
    one_collection_field: str | None = None
    one_allowed_collections: tuple[str, ...] | None = None
    junction_field: str | None = None
    sort_field: str | None = None
    one_deselect_action: str = "nullify"
    system: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation seen from its many side ``collection.field``.

    ``related`` is None for any-to-one relations, whose targets stand in ``meta.one_allowed_collections``.
    ``constraint`` is None where the database enforces nothing; ``meta`` is None where only it does.
    """

    collection: str
    field: str
    related: str | None
    constraint: ForeignKey | None = None
    meta: RelationMeta | None = None

    @property
    def any(self) -> bool:
        """Whether the target's collection is stored per row."""
        return self.meta is not None and self.meta.one_collection_field is not None

    @property
    def one_field(self) -> str | None:
        """The alias on the related collection that lists this relation's rows."""
        return self.meta.one_field if self.meta else None


@dataclass(frozen=True, slots=True)
class Side:
    """A relation as one of its fields sees it: m2o and a2o from the many side, o2m from the one side."""

    kind: Literal["m2o", "a2o", "o2m"]
    relation: Relation


class CollectionKind(Enum):
    """What stands behind a collection."""

    TABLE = "table"
    PARTITIONED = "partitioned"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized_view"
    FOREIGN_TABLE = "foreign_table"
    FOLDER = "folder"


@dataclass(frozen=True)
class Collection:
    """A collection: table, view or mere folder, with its fields in order.

    ``primary_key`` names the key's columns (none for views and tables without one). ``meta`` is the metadata
    row in wire form. ``returning`` is False where rewrite rules make RETURNING and data-modifying WITH
    impossible; ``triggers`` is True where row triggers may change what is written. ``leftovers`` are metadata
    rows of fields that are neither column nor alias: no list shows them.
    """

    name: str
    kind: CollectionKind
    schema: str = "public"
    table: str = ""
    fields: Mapping[str, Field] = field(default_factory=dict)
    primary_key: tuple[str, ...] = ()
    primary_key_name: str | None = None
    comment: str | None = None
    meta: Mapping[str, Any] | None = None
    system: bool = False
    returning: bool = True
    triggers: bool = False
    composite_keys: tuple[CompositeForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    leftovers: Mapping[str, Field] = field(default_factory=dict)

    @property
    def singleton(self) -> bool:
        """Whether the collection holds one item, addressed without a key."""
        return bool(self.meta and self.meta.get("singleton"))

    @property
    def accountability(self) -> str | None:
        """What activity shows: ``all``, ``activity`` or None. The log itself keeps everything."""
        return self.meta.get("accountability") if self.meta else "all"

    @property
    def sort_field(self) -> str | None:
        """The field that lists are sorted by when the request does not say, if it exists."""
        name = self.meta.get("sort_field") if self.meta else None
        return name if name in self.fields else None

    @property
    def writable(self) -> bool:
        """Whether items may be created, changed and deleted."""
        return self.kind in (CollectionKind.TABLE, CollectionKind.PARTITIONED) and bool(self.primary_key)

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The columns by name, in table order."""
        return {name: entry.column for name, entry in self.fields.items() if entry.column is not None}

    @cached_property
    def item_fields(self) -> Mapping[str, Field]:
        """The fields of the item API: all but presentation."""
        return {name: entry for name, entry in self.fields.items() if not entry.presentation}


@dataclass(frozen=True)
class Model:
    """All collections and relations at one version. ``version`` grows with every schema event."""

    version: int
    collections: Mapping[str, Collection]
    relations: tuple[Relation, ...] = ()

    @cached_property
    def _sides(self) -> Mapping[tuple[str, str], Side]:
        sides: dict[tuple[str, str], Side] = {}
        for relation in self.relations:
            sides[relation.collection, relation.field] = Side("a2o" if relation.any else "m2o", relation)
        for relation in self.relations:
            if relation.one_field and relation.related:
                sides.setdefault((relation.related, relation.one_field), Side("o2m", relation))
        return sides

    @cached_property
    def _incoming(self) -> Mapping[str, tuple[Relation, ...]]:
        found: dict[str, list[Relation]] = {}
        for relation in self.relations:
            if relation.related is not None:
                found.setdefault(relation.related, []).append(relation)
        return {name: tuple(entries) for name, entries in found.items()}

    def collection(self, name: str) -> Collection | None:
        """The collection of this name, None when there is none."""
        return self.collections.get(name)

    def side(self, collection: str, field: str) -> Side | None:
        """The relation that a field belongs to, as the field sees it."""
        return self._sides.get((collection, field))

    def incoming(self, collection: str) -> tuple[Relation, ...]:
        """The relations whose one side is this collection, with or without an alias field."""
        return self._incoming.get(collection, ())
