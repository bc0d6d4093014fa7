"""The access oracle: random policies and queries, answered by Acta and by the naive evaluation.

Everything runs as in a server, short of HTTP: policies are stored rows, rights come from the rights store,
answers from the reader, changes from the item writer.
"""

from __future__ import annotations

import itertools
import json
import math
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

from domain.access.caller import Caller
from domain.access.command import Command
from domain.access.rights import ADMINISTRATOR, Rights
from domain.errors import Forbidden, InvalidForeignKey
from domain.model import Model
from projections.database import Connection, Database
from projections.reading.reader import Reader
from projections.system.rights import RightsStore
from projections.tables.item_writer import ItemWriter
from tests.access.answers import Answers, canonical, text
from tests.access.chance import FIELDS, Queries, random_rules
from tests.access.naive import Grant, Refused, Sight
from tests.access.world import ACTIVITY, COLUMNS, OWN, OWNERS, REVISIONS, Data

QUERIES_PER_POLICY = 40
KINDS = ("list",) * 6 + ("item", "item", "keys", "groups", "groups", "export", "write", "write")
_PUBLIC = UUID(int=99)


@dataclass
class Given:
    """One caller and what was stored about him."""

    user: UUID | None
    role: UUID | None
    ip: str
    roles: list[UUID]
    policies: list[UUID]
    grants: dict[tuple[str, str], list[Grant]]
    variables: dict[str, Any]


@dataclass
class Oracle:
    """Asks one database and compares."""

    database: Database
    reader: Reader
    writer: ItemWriter
    model: Model
    data: Data
    chance: random.Random
    seen: Counter[str] = field(default_factory=Counter)

    async def run(self, cases: int) -> None:
        """Compare so many answers. Raises AssertionError with all that is needed to see a deviation."""
        store = RightsStore(self.database, self.reader)
        while cases > 0:
            async with self.database.connection() as connection:
                given = await self.give(connection)
            store.forget()
            caller = Caller(user=given.user, role=given.role, ip=given.ip)
            standing = await store.standing(self.model, caller)
            assert set(standing.policies) == set(given.policies)
            caller = replace(caller, roles=standing.roles, policies=standing.policies)
            for _ in range(min(cases, QUERIES_PER_POLICY)):
                await self.compare(given, caller, standing.rights)
            cases -= QUERIES_PER_POLICY

    # -- policies

    async def give(self, connection: Connection) -> Given:
        """Store roles, a user and policies, all random, in the place of those before."""
        chance = self.chance
        await connection.execute(
            "truncate acta.directus_access, acta.directus_permissions, acta.directus_policies,"
            " acta.directus_roles, acta.directus_users cascade"
        )
        roles = [uuid4() for _ in range(chance.choice([0, 1, 1, 3]))]
        names = [chance.choice(["a", "b", "1"]) for _ in roles]
        for number, key in enumerate(roles):
            await connection.execute(
                "insert into acta.directus_roles (id, name, parent) values (%s, %s, %s)",
                [key, names[number], roles[number - 1] if number else None],
            )
        user = chance.choice([None, *OWNERS])
        role: UUID | None = roles[-1] if roles and user else None
        title = chance.choice([None, "a", "b"])
        if user is not None:
            await connection.execute(
                "insert into acta.directus_users (id, title, role) values (%s, %s, %s)", [user, title, role]
            )
        chain = roles if role else []
        given = Given(user, role, "10.1.2.3", chain, [], {}, {})
        policies = await self._policies(connection, given, roles)
        given.variables = {
            "$CURRENT_USER": user and str(user),
            "$CURRENT_USER.title": title if user else None,
            "$CURRENT_USER.role.name": names[-1] if role else None,
            "$CURRENT_ROLE.name": names[-1] if role else None,
            "$CURRENT_ROLES.name": names if role else [],
            "$CURRENT_POLICIES.name": policies,
        }
        return given

    async def _policies(self, connection: Connection, given: Given, roles: list[UUID]) -> list[str]:
        """Random policies at random places; the names of those that count for the caller."""
        chance, names = self.chance, []
        for number in range(chance.randint(1, 4)):
            policy, name = uuid4(), chance.choice(["a", "ab", "b"])
            listed, reached = chance.choice([(None, True)] * 4 + [("10.0.0.0/8", True), ("11.0.0.1", False)])
            await connection.execute(
                "insert into acta.directus_policies (id, name, ip_access) values (%s, %s, %s)",
                [policy, name, listed],
            )
            role, user, counts = self._place(given, roles)
            await connection.execute(
                'insert into acta.directus_access (id, policy, role, "user", sort)'
                " values (%s, %s, %s, %s, %s)",
                [uuid4(), policy, role, user, number],
            )
            rules = random_rules(chance)
            for rule in rules:
                await self._store(connection, policy, rule)
            if not (counts and reached):
                continue
            given.policies.append(policy)
            names.append(name)
            for rule in rules:
                listed_fields = rule["fields"] or []
                fields = None if "*" in listed_fields else frozenset(listed_fields)
                grant = Grant(fields, rule["permissions"] or {})
                given.grants.setdefault((rule["collection"], rule["action"]), []).append(grant)
        return names

    def _place(self, given: Given, roles: list[UUID]) -> tuple[UUID | None, UUID | None, bool]:
        """Role and user that a policy belongs to, and whether it is the caller's; neither is the public."""
        places: list[tuple[UUID | None, UUID | None, bool]] = [(None, None, given.role is None)]
        places += [(role, None, role in given.roles) for role in roles]
        if given.user is not None:
            places += [(None, given.user, True)] * 2
        return self.chance.choice(places)

    async def _store(self, connection: Connection, policy: UUID, rule: Mapping[str, Any]) -> None:
        await connection.execute(
            "insert into acta.directus_permissions (policy, collection, action, permissions, fields)"
            " values (%s, %s, %s, %s, %s)",
            [
                policy,
                rule["collection"],
                rule["action"],
                json.dumps(rule["permissions"]),
                None if rule["fields"] is None else ",".join(rule["fields"]),
            ],
        )

    # -- comparisons

    async def compare(self, given: Given, caller: Caller, rights: Rights) -> None:
        """One random request."""
        sight = Sight(self.data, given.grants, given.variables)
        known = {name: [entry for entry in FIELDS[name] if sight.permitted(name, entry)] for name in COLUMNS}
        readable = [name for name in COLUMNS if known[name]]
        collection = self.chance.choice(
            readable if readable and self.chance.random() < 0.95 else list(COLUMNS)
        )
        queries, kind = Queries(self.chance, known), self.chance.choice(KINDS)
        query = queries.query(collection)
        answers = Answers(sight)
        case = Case(self, answers, caller, rights, collection, query)
        try:
            await getattr(case, kind)(queries)
        except AssertionError as error:
            note = {
                "kind": kind, "collection": case.collection, "query": case.query,
                "grants": {".".join(place): list(map(str, entry)) for place, entry in given.grants.items()},
                "variables": given.variables,
            }  # fmt: skip
            raise AssertionError(f"{error}\n{json.dumps(note, indent=1)}") from error
        self.seen[kind] += 1


@dataclass
class Case:
    """One request of one caller."""

    oracle: Oracle
    answers: Answers
    caller: Caller
    rights: Rights
    collection: str
    query: dict[str, Any]

    @property
    def _place(self) -> tuple[Model, Rights, Caller, str]:
        return self.oracle.model, self.rights, self.caller, self.collection

    def _expected(self, keys: list[Any] | None = None) -> list[Any] | None:
        """Sorted pairs, None for a refusal."""
        if not self.answers.sight.may(self.collection):
            return None
        try:
            return self.answers.rows(self.collection, self.query, keys)
        except Refused:
            return None

    def _same(self, got: list[Any], expected: list[Any]) -> None:
        """The same items; in the order asked for, where equal keys leave it open."""
        got = [canonical(entry) for entry in got]
        if "sort" not in self.query:
            assert sorted(map(text, got)) == sorted(text(item) for _, item in expected)
            return
        descending = self.query["sort"][0].startswith("-")
        ordered = sorted(expected, key=lambda entry: entry[0][0], reverse=descending)
        assert len(got) == len(ordered), f"{len(got)} items instead of {len(ordered)}"
        start = 0
        for _, group in itertools.groupby(ordered, key=lambda entry: entry[0][0]):
            items = [text(item) for _, item in group]
            piece = got[start : start + len(items)]
            assert sorted(map(text, piece)) == sorted(items), f"in the order of {self.query['sort']}"
            start += len(items)

    async def list(self, _: Queries) -> None:
        """A list with its counts."""
        expected = self._expected()
        try:
            answer = json.loads(await self.oracle.reader.list(*self._place, self.query))
        except Forbidden:
            assert expected is None, "refused"
            self.oracle.seen["refused"] += 1
            return
        assert expected is not None, f"not refused: {answer}"
        self._same(answer["data"], expected)
        if "meta" in self.query:
            assert answer["meta"] == self.answers.counts(self.collection, self.query)
        self.oracle.seen["items"] += len(expected)

    async def item(self, _: Queries) -> None:
        """One item by its key."""
        self.query = {name: self.query[name] for name in ("fields",) if name in self.query}
        key = self._key()
        expected = self._expected([key])
        try:
            answer = await self.oracle.reader.item(*self._place, str(key), self.query)
        except Forbidden:
            assert expected is None, "refused"
            return
        assert expected is not None, "not refused"
        self._same([] if answer is None else [json.loads(answer)["data"]], expected)

    async def keys(self, _: Queries) -> None:
        """Items by their keys."""
        keys = [self._key() for _ in range(3)]
        expected = self._expected(keys)
        try:
            answer = await self.oracle.reader.by_keys(*self._place, [*map(str, keys)], self.query)
        except Forbidden:
            assert expected is None, "refused"
            return
        assert expected is not None, "not refused"
        self._same(json.loads(answer)["data"], expected)

    async def export(self, _: Queries) -> None:
        """The rows of a large export."""
        expected = self._expected()
        self.query.pop("meta", None)
        got: list[Any] = []
        try:
            async for batch in self.oracle.reader.stream(*self._place, self.query):
                got += [json.loads(entry) for entry in batch]
        except Forbidden:
            assert expected is None, "refused"
            return
        assert expected is not None, "not refused"
        self._same(got, expected)

    async def groups(self, queries: Queries) -> None:
        """An aggregate, with or without groups."""
        chance = self.oracle.chance
        numbers = [name for name in queries.names(self.collection) if self._kind(name) == "number"]
        function = chance.choice(["count", "countDistinct", "sum", "avg", "min", "max", "rows"])
        name = "*" if function == "rows" or not numbers else chance.choice(numbers)
        function = "count" if name == "*" else function
        names = [name for name in queries.names(self.collection) if self._kind(name) in ("number", "text")]
        group = chance.choice(names) if names and chance.random() < 0.5 else None
        self.query = {"aggregate": {function: name}, "limit": -1} | (
            {"filter": queries.filter(self.collection, joins=False)} if chance.random() < 0.6 else {}
        )
        if group:
            self.query["groupBy"] = [group]
        try:
            allowed = self.answers.sight.may(self.collection)
            expected = (
                self.answers.groups(self.collection, self.query, function, name, group) if allowed else None
            )
        except Refused:
            expected = None
        try:
            answer = json.loads(await self.oracle.reader.list(*self._place, self.query))["data"]
        except Forbidden:
            assert expected is None, "refused"
            return
        assert expected is not None, f"not refused: {answer}"
        got = {}
        for row in answer:
            value = row[function] if name == "*" else row[function][name]
            got[row[group] if group else None] = None if value is None else float(value)
        assert got.keys() == expected.keys(), f"{got} instead of {expected}"
        for place, value in expected.items():
            assert _close(got[place], value), f"{got} instead of {expected}"

    async def write(self, _: Queries) -> None:
        """An update or deletion, undone afterwards: allowed exactly where rules allow it."""
        oracle, chance, sight = self.oracle, self.oracle.chance, self.answers.sight
        self.collection = collection = chance.choice(OWN)
        action = chance.choice(["update", "delete"])
        names = chance.sample(
            ["n", "book" if collection in ("notes", "blocks") else "s"], chance.randint(1, 2)
        )
        keys = chance.sample(range(1, 13), chance.randint(1, 2))
        rows = [row for row in oracle.data[collection] if row["id"] in keys]
        rules = sight.of(collection, action)
        wanted = names if action == "update" else [""]
        permitted = [
            all(
                any(
                    (action == "delete" or rule.covers(name)) and sight.met(collection, rule, row)
                    for rule in rules
                )
                for name in wanted
            )
            for row in rows
        ]
        allowed = all(permitted)
        command = Command(self.caller, self.rights, uuid4())
        payload = {name: "a" if name == "s" else 1 for name in names}
        self.query = {"action": action, "payload": payload, "keys": keys}
        texts = [*map(str, keys)]
        async with oracle.database.connection() as connection:
            try:
                async with connection.transaction(force_rollback=True):
                    place = command, oracle.model, collection, texts
                    if action == "update":
                        await oracle.writer.update(*place, payload, connection=connection)
                    else:
                        await oracle.writer.delete(*place, connection=connection)
            except Forbidden:
                assert not allowed, "refused"
                return
            except InvalidForeignKey:
                assert any(permitted), "the database was asked before the rights"
                return
        assert allowed, "not refused"
        oracle.seen["written"] += 1

    def _key(self) -> Any:
        rows = self.oracle.data[self.collection]
        return self.oracle.chance.choice(rows)["id"] if rows else 1

    def _kind(self, name: str) -> str | None:
        return COLUMNS[self.collection].get(name)


def _close(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else math.isclose(one, other)


async def everything(reader: Reader, model: Model, rows: Data) -> Data:
    """The user's rows, and the history as an administrator sees it."""
    found = dict(rows)
    for name in (ACTIVITY, REVISIONS):
        fields = [entry for entry, kept in model.collections[name].fields.items() if not kept.alias]
        query = {"fields": fields, "limit": -1}
        found[name] = list(await reader.rows(model, ADMINISTRATOR, Caller(), name, query))
    return found
