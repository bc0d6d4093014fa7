"""Whether a caller who is no administrator may write the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from domain.access.command import Command
from domain.access.rights import Rights
from domain.errors import Forbidden
from domain.model import Model, join_key
from projections.database import Connection
from projections.reading.reader import Reader


async def check_rights(
    reader: Reader,
    model: Model,
    command: Command,
    items: Sequence[dict[str, Any]],
    connection: Connection,
) -> None:
    """Ask for each collection and action whether the rules allow it for the rows there are.

    Raises:
        Forbidden: when one of them doesn't. System collections are the administrators'.
    """
    grouped: dict[tuple[str, Any], list[dict[str, Any]]] = {}
    for item in items:
        grouped.setdefault((item["collection"], item["action"]), []).append(item)
    for (name, action), chosen in grouped.items():
        rules = command.rights.of(name, action)
        entry = model.collections[name]
        if entry.system or not rules:
            raise Forbidden.collection(name)
        fields = {field for item in chosen for field in item["fields"] or ()}
        if action == "create":
            fields = set(entry.columns)
        covering = [rule for rule in rules if all(rule.covers(field) for field in fields)]
        # All validations hold together, and what comes back was none of theirs to judge.
        judged = action != "delete" and any(rule.validation for rule in rules)
        if not covering or judged:
            raise Forbidden.collection(name)
        if action != "create":
            keys = [item["item"] for item in chosen]
            # The rows that the rules reach; which fields they cover was asked before.
            reach = tuple(replace(rule, fields=None) for rule in covering)
            key = f"{command.rights.key}/undo/{action}/{name}/{sorted(fields)}"
            rights = Rights(key, rules={**command.rights.rules, (name, "read"): reach})
            query = {"fields": list(entry.primary_key), "limit": -1}
            answer = await reader.by_keys(
                model, rights, command.caller, name, keys, query, connection=connection
            )
            seen = {join_key([row[c] for c in entry.primary_key]) for row in orjson.loads(answer)["data"]}
            if not seen >= set(keys):
                raise Forbidden.collection(name)
