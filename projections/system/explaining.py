"""Why a caller may do something, or may not: policies, rules, which of them an item meets, and the SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from domain.access.caller import Caller
from domain.access.permissions import Row, field_names
from domain.access.rights import ADMINISTRATOR, Action, Rights, Rule
from domain.access.variables import put_in
from domain.errors import ActaError, Forbidden
from domain.items.dynamic import resolved
from domain.model import Model
from domain.query.parse import parse_query
from domain.query.planner import plan_list
from projections.reading.compiler import compile_plan
from projections.reading.reader import Reader
from projections.system.rights import Policy, RightsStore, Standing

EMPTY = b'{"data":[]}'
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: may ``caller`` do ``action`` with an item of a collection, and these fields of it?"""

    caller: Caller
    action: Action
    collection: str
    key: str | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explainer:
    """Answers questions with the rights store and reader that requests go through."""

    rights: RightsStore
    reader: Reader

    async def explain(self, model: Model, question: Question) -> Answer:
        """The whole story as plain data.

        Raises:
            Forbidden: for an unknown collection.
        """
        found = model.collection(question.collection)
        if found is None or not found.table:
            raise Forbidden.collection(question.collection)
        standing = await self.rights.standing(model, question.caller)
        caller = standing.of(question.caller)
        question = replace(question, caller=caller)
        answer: Answer = {
            "user": _text(caller.user),
            "role": _text(caller.role),
            "roles": [str(role) for role in caller.roles],
            "policies": [_policy(policy, caller) for policy in await self.rights.applying(caller)],
            "collection": question.collection,
            "action": question.action,
            "item": question.key,
        }
        rules = [] if standing.admin else await self._rules(model, question, standing)
        exists = await self._exists(model, question)
        allowed, reason = _verdict(question, standing, rules, exists)
        return {
            **answer,
            "allowed": allowed,
            "reason": reason,
            "rules": rules,
            "fields": _fields(question, rules, standing.admin),
            **self._reading(model, question, standing.rights),
        }

    async def _rules(self, model: Model, question: Question, standing: Standing) -> list[Answer]:
        rows = await self.rights.permission_rows(standing.policies, app=standing.app)
        rules = standing.rights.of(question.collection, question.action)
        stored = [
            row
            for row in rows
            if (row["collection"], row["action"]) == (question.collection, question.action)
        ]
        return [
            {**_rule(row, rule, question.caller), "met": await self._met(model, question, rule)}
            for row, rule in zip(stored, rules, strict=True)
        ]

    async def _met(self, model: Model, question: Question, rule: Rule) -> bool | str | None:
        """Whether the item meets a rule; None without an item, a text where the rule itself is at fault."""
        if question.key is None or question.action == "create":
            return None
        alone = Rule(None, rule.filter)
        rights = Rights(f"explain/{rule.filter}", rules={(question.collection, "read"): (alone,)})
        try:
            return await self._finds(model, question, rights)
        except ActaError as error:
            return str(error)

    async def _exists(self, model: Model, question: Question) -> bool | None:
        if question.key is None:
            return None
        try:
            return await self._finds(model, question, ADMINISTRATOR)
        except Forbidden:
            return False

    async def _finds(self, model: Model, question: Question, rights: Rights) -> bool:
        keys = list(model.collections[question.collection].primary_key)
        found = await self.reader.by_keys(
            model, rights, question.caller, question.collection, [str(question.key)], {"fields": keys}
        )
        return found != EMPTY

    def _reading(self, model: Model, question: Question, rights: Rights) -> Answer:
        """The rows that the action reaches: as a filter, and as the statement that would find them."""
        if question.action == "create":
            return {"filter": None, "sql": None, "parameters": []}
        acting = rights.reading_as(question.collection, question.action)
        rules = acting.of(question.collection, "read")
        fields = list(question.fields if question.action == "read" else ())
        query = parse_query({"fields": fields or ["*"], "limit": -1}, self.reader.limits)
        caller = question.caller
        answer: Answer = {"filter": _union(rules, caller) if not rights.admin else {}}
        try:
            plan = plan_list(model, acting, caller, question.collection, query, self.reader.limits)
        except ActaError as error:
            return {**answer, "sql": None, "parameters": [], "refusal": str(error)}
        statement = compile_plan(plan, model.version)
        values = [None if value is None else value.decode() for value in statement.parameters(caller)]
        return {**answer, "sql": statement.text.decode(), "parameters": values}


def _policy(policy: Policy, caller: Caller) -> Answer:
    reaches = policy.reaches(caller.ip)
    return {
        "id": str(policy.id),
        "admin_access": policy.admin and not policy.open,
        "app_access": policy.app and not policy.open,
        "public": policy.open,
        "ip_access": list(policy.ip) or None,
        "applies": reaches,
    }


def _rule(row: Row, rule: Rule, caller: Caller) -> Answer:
    return {
        "id": row.get("id"),
        "policy": _text(row.get("policy")),
        "system": bool(row.get("system", False)),
        "fields": field_names(row["fields"]),
        "permissions": row["permissions"],
        "resolved": resolved(put_in(rule.filter or {}, {}, keep=True), caller),
        "validation": row["validation"],
        "presets": row["presets"],
    }


def _verdict(
    question: Question, standing: Standing, rules: Sequence[Mapping[str, Any]], exists: bool | None
) -> tuple[bool, str]:
    if standing.admin:
        return exists is not False, "no such item" if exists is False else "a policy gives admin access"
    if not rules:
        return False, "no rule of any policy that applies permits the action on the collection"
    uncovered = [name for name in question.fields if not any(_covers(rule, name) for rule in rules)]
    if uncovered:
        return False, f"no rule covers the fields {', '.join(uncovered)}"
    if exists is None or question.action == "create":
        return True, "rules permit it" + (" where an item meets them" if exists is None else "")
    if not exists:
        return False, "no such item"
    every = question.action == "update"
    names = question.fields if question.action in ("read", "update") else ()
    met = [any(rule["met"] is True and _covers(rule, name) for rule in rules) for name in names]
    if not (any(rule["met"] is True for rule in rules) if not names else all(met) if every else any(met)):
        return False, "the item meets no rule that would permit it"
    return True, "the item meets a rule that permits it"


def _fields(question: Question, rules: Sequence[Mapping[str, Any]], admin: bool) -> Answer:
    """Per field asked about: the rules that cover it, and whether one of them is met."""
    found: Answer = {}
    for name in question.fields:
        covering = [rule for rule in rules if _covers(rule, name)]
        known = [rule["met"] for rule in covering if rule["met"] is not None]
        found[name] = {
            "rules": [rule["id"] for rule in covering],
            "permitted": admin or bool(covering),
            "shown": True if admin else any(met is True for met in known) if known else None,
        }
    return found


def _covers(rule: Mapping[str, Any], name: str) -> bool:
    return "*" in rule["fields"] or name in rule["fields"]


def _union(rules: Sequence[Rule], caller: Caller) -> Answer | None:
    """The rows that rules permit together; an empty filter for all, None for none."""
    if not rules:
        return None
    if any(not rule.filter for rule in rules):
        return {}
    filters = [resolved(rule.filter, caller) for rule in rules]
    return filters[0] if len(filters) == 1 else {"_or": filters}


def _text(key: UUID | None) -> str | None:
    return None if key is None else str(key)
