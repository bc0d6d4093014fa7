"""What a webhook listens to, and the body it is sent.

Bodies have the shape of the reference's webhooks. Each is about one item, so that the order of an item's
events can be kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from domain.access.caller import Caller
from domain.access.secrets import masked
from domain.items.dynamic import resolved
from domain.items.rules import failures
from domain.log.changes import Change, changes, submitted
from domain.log.record import Record
from domain.model import Model
from domain.streams.cloud_events import secret_fields

_SYSTEM: Final = "directus_"
_INTEGERS: Final = frozenset({"integer", "bigInteger"})
_NOBODY: Final = Caller()

State = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Webhook:
    """What a webhook listens to.

    Attributes:
        filter: Held against the item as it was after the event; before it where the event deleted the item.
        standing: When its status changed, by ``seq``, and whether it was active from then on.
    """

    id: int
    actions: frozenset[str]
    collections: frozenset[str]
    filter: Mapping[str, Any] | None = None
    standing: Sequence[tuple[int, bool]] = ()

    def was_active(self, seq: int) -> bool:
        """Whether it listened when an event happened."""
        return next((active for since, active in reversed(self.standing) if since < seq), False)

    def listens(self, change: Change) -> bool:
        """Whether a change is one of those it asks for, its filter apart."""
        return (
            change.action in self.actions
            and change.collection in self.collections
            and not change.collection.startswith(_SYSTEM)
        )

    def passes(self, state: State) -> bool:
        """Whether an item meets the filter. What the item has not is null."""
        if not self.filter:
            return True
        rule = resolved(self.filter, _NOBODY)
        return not failures(rule, {**dict.fromkeys(_members(rule)), **state})


def change_of(record: Record) -> Change | None:
    """What an event did to an item; None where it is nobody's business."""
    found = changes([record])
    return found[0] if found else None


def folded(state: State, record: Record) -> State:
    """The state of an item after an event."""
    if record.topic in ("item.created", "item.adopted"):
        return record.payload or {}
    if record.topic == "item.deleted" or (record.topic == "item.observed" and record.payload_text is None):
        return {}
    return {**state, **(record.payload or {})} if record.topic.startswith("item.") else state


def body_of(record: Record, model: Model, role: str | None) -> dict[str, Any]:
    """The body for an event; secrets in it are masked."""
    change = change_of(record)
    assert change is not None, "only changes of items are delivered"
    key = _key(model, change)
    who = None if record.actor is None else {"user": str(record.actor), "role": role}
    body: dict[str, Any] = {"event": f"items.{change.action}", "accountability": who}
    if change.action == "delete":
        return {**body, "payload": [key], "keys": [key], "collection": change.collection}
    payload = masked(submitted(record), secret_fields(model, change.collection))
    member = {"key": key} if change.action == "create" else {"keys": [key]}
    return {**body, "payload": payload, **member, "collection": change.collection}


def iso(moment: datetime | None) -> str | None:
    """A moment as answers show it."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _key(model: Model, change: Change) -> int | str:
    """The key in its JSON type."""
    key, found = change.keys[0], model.collections.get(change.collection)
    if found is None or len(found.primary_key) != 1:
        return key
    field = found.fields.get(found.primary_key[0])
    return int(key) if field is not None and field.type in _INTEGERS and key.lstrip("-").isdigit() else key


def _members(rule: Any) -> set[str]:
    """The names that a filter speaks of."""
    found: set[str] = set()
    for name, condition in rule.items() if isinstance(rule, Mapping) else ():
        if name in ("_and", "_or"):
            for branch in condition if isinstance(condition, list) else ():
                found |= _members(branch)
        else:
            found.add(name.rpartition("(")[2].rstrip(")"))
    return found
