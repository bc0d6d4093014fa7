"""What of the model a caller may see: the rules of ``GET /collections``, ``/fields`` and ``/relations``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from domain.access.rights import Rights
from domain.errors import Forbidden
from domain.model.schema import Collection, Field, Model, Relation


def collections(model: Model, rights: Rights) -> Model:
    """The model reduced to readable collections and the folders above them.

    Raises:
        Forbidden: without read on ``directus_collections``.
    """
    _need(rights, "directus_collections")
    if rights.admin:
        return model
    seen = {name for name in model.collections if rights.may(name, "read")}
    for name in list(seen):
        seen.update(_ancestors(model, name))
    kept = {name: entry for name, entry in model.collections.items() if name in seen}
    return Model(model.version, kept, model.relations)


def collection(model: Model, rights: Rights, name: str) -> Collection:
    """One collection.

    Raises:
        Forbidden: when the caller may not read it, or there is none.
    """
    if not rights.may(name, "read"):
        raise Forbidden.action("read", name)
    _need(rights, "directus_collections")
    found = model.collection(name)
    if found is None:
        raise Forbidden()
    return found


def fields(model: Model, rights: Rights, name: str | None = None) -> Model:
    """The model reduced to readable fields, of one collection when ``name`` is given.

    Raises:
        Forbidden: without read on ``directus_fields``, or on the named collection.
    """
    _need(rights, "directus_fields")
    if name is not None and (name not in model.collections or not rights.may(name, "read")):
        raise Forbidden.collection(name) if rights.admin else Forbidden()
    chosen = model.collections if name is None else {name: model.collections[name]}
    seen = {key: readable(entry, rights) for key, entry in chosen.items()}
    return Model(model.version, {key: entry for key, entry in seen.items() if rights.admin or entry.fields})


def field(model: Model, rights: Rights, name: str, wanted: str) -> tuple[Collection, Field]:
    """One field with its collection.

    Raises:
        Forbidden: when the caller may not read it, or there is none.
    """
    owner = model.collection(name)
    if owner is None or not rights.may(name, "read"):
        raise Forbidden.collection(name) if rights.admin else Forbidden()
    found = owner.fields.get(wanted) or owner.leftovers.get(wanted)
    if found is None or not may_read(rights, name, wanted):
        raise Forbidden()
    return owner, found


def relations(model: Model, rights: Rights, name: str | None = None) -> tuple[Relation, ...]:
    """The relations all of whose sides the caller may read.

    Raises:
        Forbidden: without read on ``directus_relations``, or for an unknown collection.
    """
    _need(rights, "directus_relations")
    if name is not None and (name not in model.collections or not rights.may(name, "read")):
        raise Forbidden.collection(name) if rights.admin else Forbidden()
    return tuple(
        entry
        for entry in model.relations
        if name in (None, entry.collection) and (rights.admin or _may_see(rights, entry))
    )


def relation(model: Model, rights: Rights, name: str, wanted: str) -> Relation:
    """One relation, by its many side.

    Raises:
        Forbidden: when the caller may not see it, or there is none.
    """
    for entry in relations(model, rights, name):
        if entry.field == wanted:
            return entry
    raise Forbidden()


def readable(entry: Collection, rights: Rights) -> Collection:
    """A collection with the fields that the caller may read."""
    if rights.admin:
        return entry
    kept = {name: found for name, found in entry.fields.items() if may_read(rights, entry.name, name)}
    return replace(entry, fields=kept)


def may_read(rights: Rights, name: str, wanted: str) -> bool:
    """Whether any rule lets the caller read a field."""
    return rights.admin or any(rule.covers(wanted) for rule in rights.of(name, "read"))


def _may_see(rights: Rights, entry: Relation) -> bool:
    if not may_read(rights, entry.collection, entry.field):
        return False
    if entry.related is not None:
        if not rights.may(entry.related, "read"):
            return False
        return entry.one_field is None or may_read(rights, entry.related, entry.one_field)
    allowed = entry.meta.one_allowed_collections if entry.meta else None
    return all(rights.may(one, "read") for one in allowed or ())


def _need(rights: Rights, name: str) -> None:
    if not rights.may(name, "read"):
        raise Forbidden.action("read", name)


def _ancestors(model: Model, name: str) -> Iterator[str]:
    seen = {name}
    while True:
        entry = model.collection(name)
        above = entry.meta.get("group") if entry and entry.meta else None
        if above is None or above in seen:
            return
        seen.add(above)
        yield above
        name = above
