"""How the definitions are written, and their reading into plain values.

A collection is a table of a ``.toml`` file; its name goes without ``directus_``. Each line of ``fields``
holds the names of fields that share all attributes, a colon, a type and what else there is to say::

    first_name last_name: string(50)
    email: string(128) unique
    policy: uuid required special=m2o -> policies cascade

``key`` makes the primary key, ``auto`` numbers it, ``required`` is NOT NULL, ``indexed`` an index, ``raw``
json without ``cast-json``. After ``->`` stands the collection that a foreign key leads to and what happens
here when the row there is deleted; ``no-fk`` is a relation that the database does not enforce. Each line of
``sides`` names a many-to-one field and the alias that lists its rows on the other side, with the settings of
that relation.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

PREFIX = "directus_"
ON_DELETE = {"cascade": "CASCADE", "set-null": "SET NULL", "restrict": "NO ACTION", "no-fk": None}

_FOLDER = Path(__file__).parent
_LINE = re.compile(
    r"(?P<names>[\w ]+): (?P<type>[\w-]+)(?:\((?P<length>\d+)\))?(?P<flags>(?: [\w=#,-]+)*?)"
    r"(?: -> (?P<target>\w+) (?P<action>[\w-]+))?"
)
_FLAGS = frozenset({"key", "auto", "required", "unique", "indexed", "raw"})
_OPTIONS = frozenset({"default", "special", "junction", "sort", "deselect"})
_SPECIALS = {"boolean": "cast-boolean", "json": "cast-json", "json-text": "cast-json", "csv": "cast-csv"}


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """A built-in field; ``type`` is a wire type, or ``json-text`` for json kept in a text column."""

    name: str
    type: str
    length: int | None = None
    key: bool = False
    auto: bool = False
    required: bool = False
    unique: bool = False
    indexed: bool = False
    default: str | None = None
    special: tuple[str, ...] = ()
    target: str | None = None
    on_delete: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def alias(self) -> bool:
        """Whether no column stands behind the field."""
        return self.type == "alias"


@dataclass(frozen=True, slots=True)
class SideDefinition:
    """The other side of a many-to-one field: the alias there, and how a user interface edits it."""

    field: str
    alias: str
    junction: str | None = None
    sort: str | None = None
    deselect: str = "nullify"


@dataclass(frozen=True, slots=True)
class CollectionDefinition:
    """A built-in collection. ``view`` is one that is no table; ``extension`` is not the reference's."""

    name: str
    fields: tuple[FieldDefinition, ...]
    sides: tuple[SideDefinition, ...] = ()
    display_template: str | None = None
    sort_field: str | None = None
    archive: tuple[str, str, str] | None = None
    singleton: bool = False
    tracked: bool = True
    view: bool = False
    extension: bool = False

    @property
    def key(self) -> FieldDefinition:
        """The primary key's field."""
        return next(entry for entry in self.fields if entry.key)


class DefinitionError(Exception):
    """A line that does not follow the rules: a mistake in the code, found at import."""


@cache
def definitions() -> Mapping[str, CollectionDefinition]:
    """All built-in collections by name."""
    found: dict[str, CollectionDefinition] = {}
    for path in sorted(_FOLDER.glob("*.toml")):
        for name, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
            found[PREFIX + name] = _collection(PREFIX + name, table)
    return found


def _collection(name: str, table: dict[str, Any]) -> CollectionDefinition:
    metas = table.pop("meta", {})
    fields = tuple(_fields(table.pop("fields"), metas))
    sides = tuple(_side(line) for line in table.pop("sides", "").strip().splitlines())
    if (archive := table.pop("archive", None)) is not None:
        table["archive"] = tuple(archive)
    return CollectionDefinition(name, fields, sides, **table)


def _fields(text: str, metas: Mapping[str, Mapping[str, Any]]) -> Iterator[FieldDefinition]:
    for line in text.strip().splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise DefinitionError(line)
        flags, options = _attributes(match["flags"], line)
        kind = match["type"]
        special = tuple(options.get("special", "").split(",")) if "special" in options else ()
        if kind in _SPECIALS and "raw" not in flags:
            special = (*special, _SPECIALS[kind])
        if kind == "uuid" and "key" in flags:
            special = ("uuid", *special)
        for name in match["names"].split():
            yield FieldDefinition(
                name=name,
                type=kind,
                length=int(match["length"]) if match["length"] else None,
                key="key" in flags,
                auto="auto" in flags,
                required="required" in flags or "key" in flags,
                unique="unique" in flags,
                indexed="indexed" in flags,
                default=options.get("default"),
                special=special,
                target=PREFIX + match["target"] if match["target"] else None,
                on_delete=ON_DELETE[match["action"]] if match["action"] else None,
                meta=metas.get(name, {}),
            )


def _side(line: str) -> SideDefinition:
    head, _, rest = line.partition(": ")
    alias, _, rest = rest.partition(" ")
    flags, options = _attributes(rest, line)
    if flags:
        raise DefinitionError(line)
    return SideDefinition(head, alias, **options)


def _attributes(text: str, line: str) -> tuple[set[str], dict[str, str]]:
    flags: set[str] = set()
    options: dict[str, str] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if equals and name in _OPTIONS:
            options[name] = value
        elif not equals and name in _FLAGS:
            flags.add(name)
        else:
            raise DefinitionError(line)
    return flags, options
