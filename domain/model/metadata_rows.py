"""The metadata rows of collections, fields and relations: their members in order, made from a request's.

Values are otherwise left to the columns of the metadata tables: what those can't hold is refused there, so
that there is one place that knows each type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from domain.errors import InvalidPayload

COLLECTION_META: Mapping[str, Any] = MappingProxyType(
    {
        "collection": None,
        "icon": None,
        "note": None,
        "display_template": None,
        "hidden": False,
        "singleton": False,
        "translations": None,
        "archive_field": None,
        "archive_app_filter": True,
        "archive_value": None,
        "unarchive_value": None,
        "sort_field": None,
        "accountability": "all",
        "color": None,
        "item_duplication_fields": None,
        "sort": None,
        "group": None,
        "collapse": "open",
        "preview_url": None,
        "versioning": False,
    }
)
FIELD_META: Mapping[str, Any] = MappingProxyType(
    {
        "id": None,
        "collection": None,
        "field": None,
        "special": None,
        "interface": None,
        "options": None,
        "display": None,
        "display_options": None,
        "readonly": False,
        "hidden": False,
        "sort": None,
        "width": "full",
        "translations": None,
        "note": None,
        "conditions": None,
        "required": False,
        "group": None,
        "validation": None,
        "validation_message": None,
        "searchable": True,
    }
)
RELATION_META: Mapping[str, Any] = MappingProxyType(
    {
        "id": None,
        "many_collection": None,
        "many_field": None,
        "one_collection": None,
        "one_field": None,
        "one_collection_field": None,
        "one_allowed_collections": None,
        "junction_field": None,
        "sort_field": None,
        "one_deselect_action": "nullify",
    }
)

_JSON = frozenset(
    {"translations", "item_duplication_fields", "options", "display_options", "conditions", "validation"}
)
_LISTS = frozenset({"special", "one_allowed_collections"})
_KEYS = frozenset({"id", "collection", "field", "many_collection", "many_field", "one_collection"})


def row_values(members: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The row's values for the members a request may set: unknown ones dropped, keys left out.

    Raises:
        InvalidPayload: for JSON text that isn't JSON.
    """
    return {
        name: _stored(name, value) for name, value in members.items() if name in known and name not in _KEYS
    }


def _stored(name: str, value: Any) -> Any:
    if name in _LISTS:
        return _joined(name, value)
    if name in _JSON and isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            raise InvalidPayload(f'"{name}" is not valid JSON') from None
    return value


def _joined(name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, (list, tuple)):
        raise InvalidPayload(f'"{name}" must be an array')
    return ",".join(str(entry) for entry in value)
