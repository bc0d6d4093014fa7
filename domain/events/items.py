"""What happens to items. The state of an item is these events' values merged in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, cast

from domain.events.base import Event, Values


@dataclass(frozen=True, kw_only=True)
class ItemCreated(Event):
    """An item was created through Acta.

    Attributes:
        values: All columns of the row as they were after the write.
    """

    TOPIC: ClassVar[str] = "item.created"
    WHOLE: ClassVar[str] = "values"

    values: Values


@dataclass(frozen=True, kw_only=True)
class ItemUpdated(Event):
    """An item was changed through Acta, or by the database because of such a change (``meta.cause``).

    Attributes:
        values: The submitted and changed columns as they were after the write. Key columns never change.
    """

    TOPIC: ClassVar[str] = "item.updated"
    WHOLE: ClassVar[str] = "values"

    values: Values


@dataclass(frozen=True, kw_only=True)
class ItemDeleted(Event):
    """An item was deleted through Acta, or by the database because of such a deletion (``meta.cause``)."""

    TOPIC: ClassVar[str] = "item.deleted"


@dataclass(frozen=True, kw_only=True)
class ItemAdopted(Event):
    """A row that was there before Acta, or unseen by it: the baseline its history begins with.

    Attributes:
        values: All columns of the row as they were found.
    """

    TOPIC: ClassVar[str] = "item.adopted"
    WHOLE: ClassVar[str] = "values"

    values: Values


@dataclass(frozen=True, kw_only=True)
class ItemObserved(Event):
    """A change that was made behind Acta's back, found afterwards; ``meta.action`` says which.

    Attributes:
        values: For ``create`` all columns, for ``update`` the changed ones, None for ``delete``.
    """

    TOPIC: ClassVar[str] = "item.observed"
    WHOLE: ClassVar[str] = "values"

    values: Values | None

    @property
    def action(self) -> Literal["create", "update", "delete"]:
        """What was done to the row."""
        told = (self.meta or {}).get("action", "delete" if self.values is None else "update")
        return cast("Literal['create', 'update', 'delete']", told)


@dataclass(frozen=True, kw_only=True)
class VersionSaved(Event):
    """Changes were put into a content version of an item (``meta.version``); the item stays as it is.

    Attributes:
        values: The changes as they were sent.
    """

    TOPIC: ClassVar[str] = "version.saved"
    WHOLE: ClassVar[str] = "values"

    values: Values
