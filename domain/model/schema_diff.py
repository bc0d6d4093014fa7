"""The difference between two snapshots; the checks that snapshots, diffs and applications have to pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from domain.errors import InvalidPayload
from domain.model.differences import MISSING, Change, differences
from domain.model.snapshot import (
    COLUMN_MEMBERS,
    CONSTRAINT_MEMBERS,
    SOFTWARE,
    VENDOR,
    VENDORS,
    VERSION,
    check_type,
    fingerprint,
)

Object = dict[str, Any]
PARTS = ("collections", "fields", "systemFields", "relations")
TYPES = "types"
"""The part that only what has enums or domains has."""
KINDS = ("N", "D", "E", "A")

_MEMBERS = ("version", "directus", "vendor", *PARTS, TYPES)
_KEYS: Mapping[str, tuple[str, ...]] = {
    "collections": ("collection",),
    "fields": ("collection", "field"),
    "systemFields": ("collection", "field"),
    "relations": ("collection", "field"),
    TYPES: ("name",),
}


def check_snapshot(document: Any, *, force: bool) -> Object:
    """A snapshot that was sent, checked; with ``force`` its version and vendor may be others than ours.

    Raises:
        InvalidPayload: for whatever is not a snapshot.
    """
    if not isinstance(document, Mapping) or not document:
        raise InvalidPayload('"snapshot" must be a non-empty object')
    for name in document:
        if name not in _MEMBERS:
            raise InvalidPayload(f'"{name}" is not allowed')
    if document.get("version") != VERSION:
        raise InvalidPayload(f'"version" must be {VERSION}')
    if not isinstance(document.get("directus"), str) or not document["directus"]:
        raise InvalidPayload('"directus" is required')
    vendor = document.get("vendor")
    if vendor is not None and vendor not in tuple(VENDORS):
        raise InvalidPayload(f'"vendor" must be one of [{", ".join(sorted(VENDORS))}]')
    if not force:
        _check_origin(document)
    found: Object = dict(document)
    for part in PARTS:
        if part == "systemFields" and part not in found:
            continue
        entries = found.get(part)
        if not isinstance(entries, list):
            raise InvalidPayload(f'"{part}" must be an array')
        for entry in entries:
            _check_names(entry, part)
    found[TYPES] = [check_type(entry) for entry in _list(document, TYPES)]
    return found


def _list(document: Mapping[str, Any], part: str) -> list[Any]:
    entries = document.get(part, [])
    if not isinstance(entries, list):
        raise InvalidPayload(f'"{part}" must be an array')
    return entries


def _check_origin(document: Mapping[str, Any]) -> None:
    if document["directus"] != SOFTWARE:
        raise InvalidPayload(
            f'The snapshot is of version {document["directus"]}, not {SOFTWARE}: use "?force" to compare'
        )
    if document.get("vendor") != VENDOR:
        raise InvalidPayload(f'The snapshot is not of {VENDOR}: use "?force" to compare anyway')


def diff_snapshots(current: Mapping[str, Any], target: Mapping[str, Any]) -> Object:
    """What has to change for ``current`` to become ``target``; each entry with the changes of one thing."""
    found = {
        "collections": _collections(current["collections"], target["collections"]),
        "fields": _fields(current, target),
        # A snapshot without this part says nothing of system fields.
        "systemFields": _part(
            "systemFields",
            current["systemFields"],
            target.get("systemFields", current["systemFields"]),
            _system_field,
        ),
        "relations": _relations(current, target),
    }
    types = _types(current.get(TYPES, []), target.get(TYPES, []))
    return {**found, TYPES: types} if types else found


def _types(current: list[Any], target: list[Any]) -> list[Object]:
    """Types that are new or differ; those that are of no more use stay."""
    used = {entry["name"] for entry in target}
    return _part(TYPES, [entry for entry in current if entry["name"] in used], target, _type)


def _type(entry: Any) -> Any:
    return entry


def is_empty(diff: Mapping[str, Any]) -> bool:
    """Whether nothing would change."""
    return not any(diff.get(part) for part in (*PARTS, TYPES))


def _collections(current: list[Any], target: list[Any]) -> list[Object]:
    return _part("collections", current, target, _collection)


def _fields(current: Mapping[str, Any], target: Mapping[str, Any]) -> list[Object]:
    kept = _staying(current, target)
    found = []
    mine, theirs = _by_key("fields", current["fields"]), _by_key("fields", target["fields"])
    for key in (*mine, *(one for one in theirs if one not in mine)):
        before, after = mine.get(key, MISSING), theirs.get(key, MISSING)
        if after is MISSING and not kept(key[0]):
            continue
        lhs, rhs = _field(before), _field(after)
        if lhs is not MISSING and rhs is not MISSING and _remade(lhs, rhs):
            found.append(_entry("fields", key, differences(lhs, MISSING)))
            found.append(_entry("fields", key, differences(MISSING, rhs)))
            continue
        if _numbered(lhs) and _numbered(rhs):
            lhs, rhs = _without(lhs, "schema"), _without(rhs, "schema")
        changes = differences(lhs, rhs)
        if changes:
            found.append(_entry("fields", key, changes))
    return found


def _remade(lhs: Mapping[str, Any], rhs: Mapping[str, Any]) -> bool:
    """Whether a field has to be removed and made again: an alias for a column, another computed column."""
    if "schema" not in lhs or "schema" not in rhs:
        return ("schema" in lhs) != ("schema" in rhs)
    name = "generation_expression"
    return bool(lhs["schema"].get(name) != rhs["schema"].get(name))


def _relations(current: Mapping[str, Any], target: Mapping[str, Any]) -> list[Object]:
    kept = _staying(current, target)
    found = []
    mine, theirs = _by_key("relations", current["relations"]), _by_key("relations", target["relations"])
    for key in (*mine, *(one for one in theirs if one not in mine)):
        before, after = mine.get(key, MISSING), theirs.get(key, MISSING)
        if after is MISSING and not kept(key[0]):
            continue
        changes = differences(_relation(before), _relation(after))
        if changes:
            related = (before if after is MISSING else after).get("related_collection")
            found.append(_entry("relations", key, changes, related_collection=related))
    return found


def _staying(current: Mapping[str, Any], target: Mapping[str, Any]) -> Any:
    gone = {one["collection"] for one in current["collections"]} - {
        one["collection"] for one in target["collections"]
    }
    return lambda name: name not in gone


def _part(part: str, current: Iterable[Any], target: Iterable[Any], shaped: Any) -> list[Object]:
    mine, theirs = _by_key(part, current), _by_key(part, target)
    found = []
    for key in (*mine, *(one for one in theirs if one not in mine)):
        changes = differences(shaped(mine.get(key, MISSING)), shaped(theirs.get(key, MISSING)))
        if changes:
            found.append(_entry(part, key, changes))
    return found


def _entry(part: str, key: tuple[str, ...], changes: list[Change], **more: Any) -> Object:
    return {**dict(zip(_KEYS[part], key, strict=True)), **more, "diff": changes}


def _by_key(part: str, entries: Iterable[Any]) -> dict[tuple[str, ...], Any]:
    return {tuple(entry[name] for name in _KEYS[part]): entry for entry in entries}


def _collection(entry: Any) -> Any:
    return _shaped(entry, ("collection", "meta", "schema"), ("name", "primary_key", "checks"))


def _field(entry: Any) -> Any:
    return _shaped(entry, ("collection", "field", "type", "meta", "schema"), COLUMN_MEMBERS)


def _system_field(entry: Any) -> Any:
    return _shaped(entry, ("collection", "field", "schema"), ("is_indexed",))


def _relation(entry: Any) -> Any:
    return _shaped(entry, ("collection", "field", "related_collection", "meta", "schema"), CONSTRAINT_MEMBERS)


def _shaped(entry: Any, members: tuple[str, ...], schema: tuple[str, ...]) -> Any:
    """The members that count, in a fixed order; a ``schema`` that is null counts as absent."""
    if entry is MISSING:
        return MISSING
    found = {name: entry[name] for name in members if name in entry}
    if isinstance(found.get("schema"), Mapping):
        found["schema"] = {name: found["schema"][name] for name in schema if name in found["schema"]}
    else:
        found.pop("schema", None)
    return found


def _numbered(entry: Any) -> bool:
    if entry is MISSING or "schema" not in entry:
        return False
    column = entry["schema"]
    return bool(column.get("is_primary_key") and column.get("has_auto_increment"))


def _without(entry: Mapping[str, Any], name: str) -> Object:
    return {key: value for key, value in entry.items() if key != name}


def _check_names(entry: Any, part: str) -> None:
    if not isinstance(entry, Mapping):
        raise InvalidPayload(f'"{part}" must hold objects')
    for name in _KEYS[part]:
        if not isinstance(entry.get(name), str) or not entry[name]:
            raise InvalidPayload(f'"{part}" entries need "{name}"')
    check_members(entry, part)


def check_members(entry: Mapping[str, Any], part: str) -> None:
    """That what has to be objects are some, or null.

    Raises:
        InvalidPayload: otherwise.
    """
    for name in ("meta", "schema"):
        if entry.get(name) is not None and not isinstance(entry[name], Mapping):
            raise InvalidPayload(f'"{part}.{name}" must be of type object')


def check_diff(body: Any) -> tuple[str, Object]:
    """The hash and the diff of a body of ``POST /schema/apply``, checked.

    Raises:
        InvalidPayload: for whatever is not a diff.
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("hash"), str) or not body["hash"]:
        raise InvalidPayload('"hash" is required')
    diff = body.get("diff")
    if not isinstance(diff, Mapping):
        raise InvalidPayload('"diff" is required')
    found = {TYPES: [], **diff}
    for part in (*PARTS, TYPES):
        if not isinstance(found.get(part), list):
            raise InvalidPayload(f'"diff.{part}" must be an array')
        for entry in found[part]:
            _check_names(entry, part)
            _check_changes(entry.get("diff"), part)
            if whole_kind(entry) == "N":
                if not isinstance(entry["diff"][0]["rhs"], Mapping):
                    raise InvalidPayload(f'"diff.{part}.rhs" must be of type object')
                check_members(entry["diff"][0]["rhs"], part)
    return body["hash"], found


def _check_changes(changes: Any, part: str) -> None:
    if not isinstance(changes, list) or not changes:
        raise InvalidPayload(f'"diff.{part}" entries need "diff"')
    for change in changes:
        if not isinstance(change, Mapping) or change.get("kind") not in KINDS:
            raise InvalidPayload(f'"diff.{part}.kind" must be one of [{", ".join(KINDS)}]')
        needed = {"N": ("rhs",), "D": (), "E": ("rhs",), "A": ("index", "item")}[change["kind"]]
        for name in needed:
            if name not in change:
                raise InvalidPayload(f'"diff.{part}.{name}" is required')
        path = change.get("path", [])
        if not isinstance(path, list) or not all(isinstance(step, (str, int)) for step in path):
            raise InvalidPayload(f'"diff.{part}.path" must be an array')
        if change["kind"] == "A":
            _check_changes([change["item"]], part)


def check_applicable(current: Mapping[str, Any], diff: Mapping[str, Any], expected: str) -> None:
    """That a diff was made against what is there now.

    Raises:
        InvalidPayload: otherwise, naming the first thing that does not fit.
    """
    if fingerprint(current) == expected:
        return
    for part, label in (("collections", "collection"), ("fields", "field"), ("relations", "relation")):
        there = _by_key(part, current[part])
        for entry in diff[part]:
            key = tuple(entry[name] for name in _KEYS[part])
            kind = whole_kind(entry)
            if kind == "N" and key in there and not _replaced(diff[part], entry):
                raise InvalidPayload(f'The {label} "{".".join(key)}" is to be made, but is already there')
            if kind == "D" and key not in there:
                raise InvalidPayload(f'The {label} "{".".join(key)}" is to be removed, but is not there')
    raise InvalidPayload("The hash does not match the current schema: compare again")


def check_system_fields(diff: Mapping[str, Any]) -> None:
    """That system fields change in nothing but their index.

    Raises:
        InvalidPayload: otherwise.
    """
    for entry in diff["systemFields"]:
        for change in entry["diff"]:
            whole = change["kind"] in ("N", "D") and "path" not in change
            if not whole and change.get("path") != ["schema", "is_indexed"]:
                raise InvalidPayload('Only "schema.is_indexed" may be modified for system fields')


def whole_kind(entry: Mapping[str, Any]) -> str | None:
    """N or D for an entry about the whole thing, None for edits."""
    first = entry["diff"][0]
    return first["kind"] if first["kind"] in ("N", "D") and not first.get("path") else None


def _replaced(entries: Iterable[Mapping[str, Any]], entry: Mapping[str, Any]) -> bool:
    """Whether another entry removes what this one makes again (a field between alias and column)."""
    names = [name for name in ("collection", "field") if name in entry]
    return any(
        whole_kind(other) == "D" and all(other[name] == entry[name] for name in names)
        for other in entries
        if other is not entry
    )
