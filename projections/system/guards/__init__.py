"""What writing a system collection demands and causes beyond its fields, one module per subject.

The item writer asks the guard of a collection inside its transaction, for writes nested in others too:
``payloads`` when the caller's rights have been checked and before values are converted, ``before_delete``
before rows go, ``after`` when rows and events are written. Whatever a guard raises rolls everything back.
"""

from __future__ import annotations

from collections.abc import Mapping

from projections.system.guards.access import AccessGuard, PermissionGuard, PolicyGuard
from projections.system.guards.base import Change, Guard, Occasion
from projections.system.guards.comments import CommentGuard
from projections.system.guards.files import FileGuard
from projections.system.guards.flows import FlowGuard
from projections.system.guards.roles import RoleGuard
from projections.system.guards.shares import ShareGuard
from projections.system.guards.texts import TranslationGuard
from projections.system.guards.users import UserGuard
from projections.system.guards.versions import VersionGuard
from projections.system.guards.webhooks import WebhookGuard

GUARDS: Mapping[str, Guard] = {
    "directus_access": AccessGuard(),
    "directus_comments": CommentGuard(),
    "directus_files": FileGuard(),
    "directus_flows": FlowGuard(),
    "directus_operations": FlowGuard(),
    "directus_permissions": PermissionGuard(),
    "directus_policies": PolicyGuard(),
    "directus_roles": RoleGuard(),
    "directus_shares": ShareGuard(),
    "directus_translations": TranslationGuard(),
    "directus_users": UserGuard(),
    "directus_versions": VersionGuard(),
    "directus_webhooks": WebhookGuard(),
}

__all__ = ["GUARDS", "Change", "Guard", "Occasion"]
