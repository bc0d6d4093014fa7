"""The collections that REST serves as items, as data: where, and in what they differ from each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verb = Literal["read_list", "search", "read_item", "create", "update_many", "update", "delete_many", "delete"]

ALL: frozenset[Verb] = frozenset(
    {"read_list", "search", "read_item", "create", "update_many", "update", "delete_many", "delete"}
)
READ_ONLY: frozenset[Verb] = frozenset({"read_list", "search", "read_item"})


@dataclass(frozen=True, slots=True)
class Resource:
    """One collection with a path of its own.

    ``search_keys`` tells whether SEARCH honours ``keys``; ``uuid_keys`` makes a key that is no UUID an
    unknown route; ``meta`` is False where counts are never answered.
    """

    path: str
    collection: str
    verbs: frozenset[Verb] = ALL
    search_keys: bool = True
    uuid_keys: bool = False
    meta: bool = True


SYSTEM: tuple[Resource, ...] = (
    Resource("/users", "directus_users", search_keys=False),
    Resource("/roles", "directus_roles", search_keys=False),
    Resource("/policies", "directus_policies"),
    Resource("/access", "directus_access"),
    Resource("/permissions", "directus_permissions"),
    Resource("/files", "directus_files"),
    Resource("/folders", "directus_folders"),
    Resource("/presets", "directus_presets"),
    Resource("/notifications", "directus_notifications"),
    Resource("/translations", "directus_translations"),
    Resource("/comments", "directus_comments"),
    Resource("/versions", "directus_versions"),
    Resource("/dashboards", "directus_dashboards", search_keys=False),
    Resource("/panels", "directus_panels", search_keys=False),
    Resource("/flows", "directus_flows", search_keys=False),
    Resource("/operations", "directus_operations", search_keys=False),
    Resource("/shares", "directus_shares", search_keys=False, uuid_keys=True, meta=False),
    Resource("/webhooks", "directus_webhooks"),
    Resource("/deployments", "directus_deployments"),
    Resource("/activity", "directus_activity", verbs=READ_ONLY),
    Resource("/revisions", "directus_revisions", verbs=READ_ONLY, search_keys=False),
)
"""System collections with the generic handlers; `/settings` is a singleton with its own two routes."""
