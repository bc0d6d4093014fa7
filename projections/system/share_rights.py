"""The rights of shares, computed from those of their authors and roles and from what the item refers to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from domain.access.caller import Caller
from domain.access.permissions import bound_to
from domain.access.rights import ADMINISTRATOR, NOTHING, Rights
from domain.access.shares import Lookup, reach_of, share_rights
from domain.model.schema import Model
from projections.system.accounts import Accounts, Share
from projections.system.rights import RightsStore, RowReader


class ShareRights:
    """Finds out what a share lets its holder read."""

    def __init__(self, rights: RightsStore, reader: RowReader, accounts: Accounts) -> None:
        self._rights = rights
        self._reader = reader
        self._accounts = accounts

    async def of(self, model: Model, share: Share, visitor: Caller) -> Rights:
        """The rights of a share for a visitor, whose address the policies' IP rules are held against."""
        author, role = NOTHING, NOTHING
        account = await self._accounts.by_id(share.author) if share.author else None
        if account is not None and account.status == "active":
            who = replace(visitor, share=None, user=account.id, role=account.role)
            author = await self._rights_of(model, who)
        if share.role is not None:
            who = replace(visitor, share=None, role=share.role)
            role = await self._rights_of(model, who)
        reach = reach_of(model, author, role, share.collection, share.item)
        for lookup in reach.lookups:
            keys = await self._keys(model, share, visitor, lookup)
            target = model.collections.get(lookup.collection)
            if keys and target is not None and len(target.primary_key) == 1:
                reach.filters.setdefault(lookup.collection, []).append({target.primary_key[0]: {"_in": keys}})
        return share_rights(author, role, share.collection, reach.filters)

    async def _rights_of(self, model: Model, who: Caller) -> Rights:
        """Somebody's rights with his own values in the rules: the visitor is somebody else."""
        standing = await self._rights.standing(model, who)
        return bound_to(standing.rights, replace(who, roles=standing.roles, policies=standing.policies))

    async def _keys(self, model: Model, share: Share, visitor: Caller, lookup: Lookup) -> list[Any]:
        start = model.collections[share.collection].primary_key[0]
        query = {"filter": {start: {"_eq": share.item}}, "fields": [".".join(lookup.path)]}
        rows = await self._reader.rows(model, ADMINISTRATOR, visitor, share.collection, query)
        return list(dict.fromkeys(key for row in rows for key in _ends(row, lookup.path) if key is not None))


def _ends(value: Any, path: tuple[str, ...]) -> list[Any]:
    if isinstance(value, list):
        return [found for entry in value for found in _ends(entry, path)]
    if not path:
        return [value]
    return _ends(value[path[0]], path[1:]) if isinstance(value, dict) and path[0] in value else []
