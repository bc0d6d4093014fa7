"""What happens to the model: collections, fields and relations, with their definitions before and after.

Definitions are in wire form (the objects of ``/collections``, ``/fields`` and ``/relations``). What is
needed to bring dropped data back stands in the item events; what is needed to bring its place back stands
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from domain.events.base import Event, Values


@dataclass(frozen=True, kw_only=True)
class CollectionCreated(Event):
    """A collection came into being, with its table unless it is a folder.

    Attributes:
        new: The definition.
    """

    TOPIC: ClassVar[str] = "collection.created"

    new: Values


@dataclass(frozen=True, kw_only=True)
class CollectionUpdated(Event):
    """The metadata of a collection changed.

    Attributes:
        old: The definition before.
        new: The definition after.
    """

    TOPIC: ClassVar[str] = "collection.updated"

    old: Values
    new: Values


@dataclass(frozen=True, kw_only=True)
class CollectionDeleted(Event):
    """A collection and its table are gone. What the log knew of its items before ends here.

    Attributes:
        old: The definition, fields included.
    """

    TOPIC: ClassVar[str] = "collection.deleted"

    old: Values


@dataclass(frozen=True, kw_only=True)
class CollectionRenamed(Event):
    """A collection goes on under another name, with its items, relations, permissions and presets.

    The last event under the old name. Each item's state follows under the new one.

    Attributes:
        name: The new name.
    """

    TOPIC: ClassVar[str] = "collection.renamed"

    name: str


@dataclass(frozen=True, kw_only=True)
class FieldCreated(Event):
    """A field was added to a collection.

    Attributes:
        field: Its name.
        new: The definition.
        filled: The one value that every existing item has in it, when that is not null.
    """

    TOPIC: ClassVar[str] = "field.created"

    field: str
    new: Values
    filled: object = None


@dataclass(frozen=True, kw_only=True)
class FieldUpdated(Event):
    """The column or the metadata of a field changed.

    Attributes:
        field: Its name.
        old: The definition before.
        new: The definition after.
    """

    TOPIC: ClassVar[str] = "field.updated"

    field: str
    old: Values
    new: Values


@dataclass(frozen=True, kw_only=True)
class FieldRenamed(Event):
    """A field goes on under another name; the items' values follow under it.

    Attributes:
        field: The old name.
        name: The new name.
    """

    TOPIC: ClassVar[str] = "field.renamed"

    field: str
    name: str


@dataclass(frozen=True, kw_only=True)
class FieldDeleted(Event):
    """A field and its column are gone. Values that items had in it until here are no longer theirs.

    Attributes:
        field: Its name.
        old: The definition.
    """

    TOPIC: ClassVar[str] = "field.deleted"

    field: str
    old: Values


@dataclass(frozen=True, kw_only=True)
class RelationCreated(Event):
    """A relation was made between a field and a collection.

    Attributes:
        field: The field on the many side.
        new: The definition.
    """

    TOPIC: ClassVar[str] = "relation.created"

    field: str
    new: Values


@dataclass(frozen=True, kw_only=True)
class RelationUpdated(Event):
    """The constraint or the metadata of a relation changed.

    Attributes:
        field: The field on the many side.
        old: The definition before.
        new: The definition after.
    """

    TOPIC: ClassVar[str] = "relation.updated"

    field: str
    old: Values
    new: Values


@dataclass(frozen=True, kw_only=True)
class RelationDeleted(Event):
    """A relation is gone; the column stays.

    Attributes:
        field: The field on the many side.
        old: The definition.
    """

    TOPIC: ClassVar[str] = "relation.deleted"

    field: str
    old: Values
