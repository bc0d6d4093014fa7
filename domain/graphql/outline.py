"""The outline of a schema: which collections and fields a caller meets in GraphQL, and as what.

An outline is made for a model and a caller's rights. What the caller must not see is not there at all; a
relation that is not permitted as a whole degrades to a plain field (section 7 of the contract).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from domain.access.rights import Action, Rights
from domain.graphql import kinds
from domain.model import Collection, Column, Field, Model, Side
from domain.model.types import default_value

HIDDEN = frozenset(
    f"directus_{name}"
    for name in ("collections", "fields", "relations", "migrations", "sessions", "extensions", "webhooks")
)
"""Collections that are never types; relations to them stay scalars."""
SYSTEM_PREFIX = "directus_"
READ_ONLY = frozenset({"directus_activity", "directus_revisions"})

_FILLED = (
    "uuid",
    "date-created",
    "date-updated",
    "user-created",
    "user-updated",
    "role-created",
    "role-updated",
)

Kind = Literal["scalar", "one", "many", "any"]
Scope = Literal["items", "system"]


@dataclass(frozen=True, slots=True)
class Shape:
    """A field as one action sees it.

    ``scalar`` is the type of its values (``[String]`` for lists), of relations that of the raw key.
    ``filter`` and ``functions`` are prefixes of type names. ``related`` is the collection behind a relation,
    ``targets`` those behind a many-to-any item.
    """

    field: Field
    kind: Kind
    scalar: str
    filter: str
    functions: str | None = None
    required: bool = False
    related: str = ""
    targets: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The field's name."""
        return self.field.name


class Outline:
    """What one set of rights leaves of a model; answers are kept."""

    def __init__(self, model: Model, rights: Rights) -> None:
        self.model = model
        self.rights = rights
        self._fields: dict[tuple[str, Action], Mapping[str, Shape]] = {}
        self._may: dict[tuple[str, Action], bool] = {}

    def may(self, name: str, action: Action) -> bool:
        """Whether a collection is there for an action, with at least one field."""
        known = self._may.get((name, action))
        if known is None:
            known = self._may[name, action] = self._there(name, action)
        return known

    def collections(self, action: Action) -> tuple[str, ...]:
        """The collections that are there for an action."""
        return tuple(name for name in self.model.collections if self.may(name, action))

    def versioned(self, name: str) -> Action:
        """The action whose fields a content version shows: those that may be changed, else those read."""
        return "update" if self.may(name, "update") else "read"

    def writable(self, name: str, action: Action) -> bool:
        """Whether items may be written by mutations."""
        return (
            name not in READ_ONLY
            and self.model.collections[name].writable
            and (
                self._nameable(name) and self.rights.may(name, "delete")
                if action == "delete"
                else self.may(name, action)
            )
        )

    def fields(self, name: str, action: Action) -> Mapping[str, Shape]:
        """The fields of a collection for an action, in their order."""
        known = self._fields.get((name, action))
        if known is None:
            known = {} if not self.may(name, action) else self._shapes(self.model.collections[name], action)
            self._fields[name, action] = known
        return known

    def permitted(self, name: str, field: str, action: Action) -> bool:
        """Whether any rule speaks of a field."""
        return self.rights.admin or any(rule.covers(field) for rule in self.rights.of(name, action))

    def _there(self, name: str, action: Action) -> bool:
        if not self._nameable(name) or not self.rights.may(name, action):
            return False
        fields = self.model.collections[name].item_fields
        return any(kinds.valid_name(field) and self.permitted(name, field, action) for field in fields)

    def _nameable(self, name: str) -> bool:
        found = self.model.collection(name)
        return found is not None and bool(found.table) and name not in HIDDEN and kinds.valid_name(name)

    def _shapes(self, collection: Collection, action: Action) -> Mapping[str, Shape]:
        return {
            name: self._shape(collection, field, action)
            for name, field in collection.item_fields.items()
            if kinds.valid_name(name) and self.permitted(collection.name, name, action)
        }

    def _shape(self, collection: Collection, field: Field, action: Action) -> Shape:
        side = self.model.side(collection.name, field.name)
        if side is not None:
            related = self._relation(side, action)
            if related is not None:
                return related if side.kind != "m2o" else self._one(collection, field, related)
        if field.alias:
            return Shape(field, "scalar", "String", "string", "count")
        scalar = "ID" if field.name in collection.primary_key else kinds.scalar(field)
        required = self._required(collection, field, action)
        return Shape(field, "scalar", scalar, kinds.filter_kind(field), kinds.function_kind(field), required)

    def _one(self, collection: Collection, field: Field, shape: Shape) -> Shape:
        if field.name in collection.primary_key and len(collection.primary_key) == 1:
            # A key that is a relation too is found by its value.
            return Shape(field, "scalar", "ID", kinds.filter_kind(field), None, True)
        return shape

    def _relation(self, side: Side, action: Action) -> Shape | None:
        """The shape of a relation's field, None where it has to degrade."""
        relation = side.relation
        many = self.model.collection(relation.collection)
        if many is None or relation.field not in many.columns:
            return None
        if side.kind == "a2o":
            meta = relation.meta
            targets = (meta.one_allowed_collections or ()) if meta else ()
            usable = targets and all(self._keyed(name, action) for name in targets)
            field = many.fields[relation.field]
            return Shape(field, "any", "String", "", targets=targets) if usable else None
        related = relation.related or ""
        if not self._keyed(related, action) or not self.may(relation.collection, action):
            return None
        if not self.permitted(relation.collection, relation.field, action):
            return None
        one_field = relation.one_field
        if one_field and not self.permitted(related, one_field, action):
            return None
        if side.kind == "m2o":
            field = many.fields[relation.field]
            return Shape(field, "one", kinds.scalar(field), kinds.filter_kind(field), related=related)
        alias = self.model.collections[related].fields[str(one_field)]
        return Shape(alias, "many", "String", "string", "count", related=relation.collection)

    def _keyed(self, name: str, action: Action) -> bool:
        return self.may(name, action) and len(self.model.collections[name].primary_key) == 1

    def _required(self, collection: Collection, field: Field, action: Action) -> bool:
        column = field.column
        if action == "update" or column is None:
            return False
        key = field.name in collection.primary_key
        if key:
            if action == "read":
                # The contract knows one exception, the rules that have no row.
                return collection.name != "directus_permissions"
            return not column.has_default and "uuid" not in field.special
        if column.nullable or any(special in field.special for special in _FILLED):
            return False
        return not self._conflicting(collection.name, field.name, action) and _no_default(column, field)

    def _conflicting(self, name: str, field: str, action: Action) -> bool:
        """Whether some of the caller's rules give a field in some rows only."""
        if self.rights.admin:
            return False
        rules = self.rights.of(name, action)
        return not all(rule.covers(field) for rule in rules)


def _no_default(column: Column, field: Field) -> bool:
    if column.identity or column.generated:
        return False
    return default_value(column.default, field.type) in (None, False, 0, "")
