"""The rows of ``acta.directus_collections``, ``_fields`` and ``_relations`` in wire form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from domain.model import RelationMeta
from projections.database import Connection
from projections.sql import load

COLLECTION_KEYS = (
    "collection", "icon", "note", "display_template", "hidden", "singleton", "translations", "archive_field",
    "archive_app_filter", "archive_value", "unarchive_value", "sort_field", "accountability", "color",
    "item_duplication_fields", "sort", "group", "collapse", "preview_url", "versioning",
)  # fmt: skip
FIELD_KEYS = (
    "id", "collection", "field", "special", "interface", "options", "display", "display_options", "readonly",
    "hidden", "sort", "width", "translations", "note", "conditions", "required", "group", "validation",
    "validation_message", "searchable",
)  # fmt: skip

_STATEMENTS = load("catalog/metadata")
_SPECIAL = FIELD_KEYS.index("special")


async def present(connection: Connection) -> bool:
    """Whether the metadata tables exist: a database may be looked at before it is prepared."""
    row = await (await connection.execute(_STATEMENTS["present"])).fetchone()
    return bool(row and row[0])


async def read_collections(connection: Connection) -> dict[str, dict[str, Any]]:
    """The metadata of all tracked collections and folders, by name."""
    cursor = await connection.execute(_STATEMENTS["collections"])
    return {row[0]: dict(zip(COLLECTION_KEYS, row, strict=True)) for row in await cursor.fetchall()}


async def read_field_fingerprints(connection: Connection) -> dict[str, str]:
    """A text per collection that differs whenever the metadata of one of its fields has changed."""
    return dict(await (await connection.execute(_STATEMENTS["field_fingerprints"])).fetchall())


async def read_fields(
    connection: Connection, collections: Iterable[str]
) -> dict[str, tuple[Mapping[str, Any], ...]]:
    """The metadata of the fields of some collections, by collection, in order of creation."""
    names = list(collections)
    found: dict[str, list[Mapping[str, Any]]] = {}
    if names:
        cursor = await connection.execute(_STATEMENTS["fields"], {"collections": names})
        for row in await cursor.fetchall():
            values = list(row)
            values[_SPECIAL] = _names(row[_SPECIAL])
            found.setdefault(row[1], []).append(dict(zip(FIELD_KEYS, values, strict=True)))
    return {name: tuple(rows) for name, rows in found.items()}


async def read_relations(connection: Connection) -> tuple[RelationMeta, ...]:
    """The metadata of all relations, in order of creation."""
    cursor = await connection.execute(_STATEMENTS["relations"])
    return tuple(_relation(row) for row in await cursor.fetchall())


def _relation(row: tuple[Any, ...]) -> RelationMeta:
    identity, many, field, one, one_field, one_collection_field, allowed, junction, sort, deselect = row
    names = _names(allowed)
    return RelationMeta(
        id=identity,
        many_collection=many,
        many_field=field,
        one_collection=one,
        one_field=one_field,
        one_collection_field=one_collection_field,
        one_allowed_collections=None if names is None else tuple(names),
        junction_field=junction,
        sort_field=sort,
        one_deselect_action=deselect,
    )


def _names(text: str | None) -> list[str] | None:
    """A comma-separated column as the wire shows it: null stays null, an empty text is an empty list."""
    if text is None:
        return None
    return text.split(",") if text else []
