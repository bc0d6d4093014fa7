"""What every caller with app access may do beyond his own rules: fixed rows, never stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

_ME = {"_eq": "$CURRENT_USER"}
_SELF_FIELDS = (
    "id", "first_name", "last_name", "last_page", "email", "password", "location", "title", "description",
    "tags", "provider", "preferences_divider", "avatar", "language", "appearance", "theme_light",
    "theme_dark",
    "tfa_secret", "status", "role",
)  # fmt: skip


def _row(
    collection: str,
    action: str,
    permissions: Row | None = None,
    *,
    fields: tuple[str, ...] = ("*",),
    validation: Row | None = None,
) -> Row:
    return {
        "collection": collection,
        "action": action,
        "permissions": permissions or {},
        "validation": validation,
        "presets": None,
        "fields": list(fields),
        "policy": None,
        "system": True,
    }


MINIMAL: tuple[Row, ...] = (
    _row("directus_collections", "read"),
    _row("directus_fields", "read"),
    _row("directus_relations", "read"),
    _row("directus_translations", "read"),
    _row("directus_settings", "read"),
    _row("directus_activity", "read", {"user": _ME}),
    _row("directus_comments", "read", {"user_created": _ME}),
    _row("directus_comments", "create", validation={"comment": {"_nnull": True}}),
    _row("directus_comments", "update", {"user_created": _ME}, fields=("comment",)),
    _row("directus_comments", "delete", {"user_created": _ME}),
    _row(
        "directus_presets",
        "read",
        {
            "_or": [
                {"user": _ME},
                {"_and": [{"user": {"_null": True}}, {"role": {"_eq": "$CURRENT_ROLE"}}]},
                {"_and": [{"user": {"_null": True}}, {"role": {"_null": True}}]},
            ]
        },
    ),
    _row("directus_presets", "create", validation={"user": _ME}),
    _row("directus_presets", "update", {"user": _ME}, validation={"user": _ME}),
    _row("directus_presets", "delete", {"user": _ME}),
    _row("directus_roles", "read", {"id": {"_in": "$CURRENT_ROLES"}}),
    _row("directus_notifications", "read", {"recipient": _ME}),
    _row("directus_notifications", "update", {"recipient": _ME}, fields=("status",)),
    _row("directus_shares", "read", {"user_created": _ME}),
    _row("directus_users", "read", {"id": _ME}, fields=_SELF_FIELDS),
)
"""Permission rows in wire form, marked ``system``."""
