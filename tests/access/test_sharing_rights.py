"""Rights are one value for all callers of the same policies; what they say of a caller is his own."""

from uuid import UUID, uuid4

import pytest

from domain.access.caller import Caller
from domain.access.permissions import bound_to
from domain.query.limits import QueryLimits
from projections.database import Connection, Database
from projections.prepare import prepare
from projections.reading.reader import Reader
from projections.system.accounts import Accounts, Share
from projections.system.rights import RightsStore
from projections.system.share_rights import ShareRights
from tests.access.world import OWNERS, Data, create, model

RULES = """
insert into acta.directus_policies (id, name) values (%(policy)s, 'all');
insert into acta.directus_roles (id, name) values (%(role)s, 'role');
insert into acta.directus_access (id, policy, role) values (gen_random_uuid(), %(policy)s, %(role)s);
insert into acta.directus_permissions (policy, collection, action, permissions, fields) values
    (%(policy)s, 'books', 'read', '{"owner": {"_eq": "$CURRENT_USER"}}', '*');
insert into acta.directus_users (id, role, email, status)
    select id::uuid, %(role)s, id || '@example.com', 'active' from unnest(%(users)s::uuid[]) as id
"""
ROLE, POLICY = uuid4(), uuid4()


async def fill(connection: Connection, rows: Data) -> None:
    await create(connection, rows)
    values = {"policy": POLICY, "role": ROLE, "users": list(OWNERS)}
    for statement in RULES.split(";\n"):
        await connection.execute(statement.encode(), values)


def book(key: int, owner: UUID | None) -> dict[str, object]:
    return {"id": key, "n": key, "s": None, "author": None, "owner": owner and str(owner)}


@pytest.fixture
def rows() -> Data:
    books = [book(1, OWNERS[0]), book(2, OWNERS[1]), book(3, None)]
    return {"people": [], "teams": [], "books": books, "notes": [], "blocks": []}


async def test_one_value_for_all_and_each_his_own(database_url: str, rows: Data) -> None:
    async with await Database.open(database_url, maximum=2) as database:
        await prepare(database)
        async with database.connection() as connection:
            await fill(connection, rows)
        reader = Reader(database, QueryLimits())
        store = RightsStore(database, reader)
        callers = [Caller(user=user, role=ROLE) for user in OWNERS]
        standings = [await store.standing(model(), caller) for caller in callers]
        assert len({id(standing.rights) for standing in standings}) == 1
        rights = standings[0].rights
        for caller, expected in zip(callers, ([1], [2], []), strict=True):
            raw = "fields=id"
            answer = await reader.list(model(), rights, caller, "books", raw)
            assert answer == b'{"data":[' + b",".join(b'{"id":%d}' % key for key in expected) + b"]}"
        # Whoever acts for somebody, as a share does, sees with that one's values.
        bound = bound_to(rights, callers[1])
        answer = await reader.list(model(), bound, Caller(share=uuid4()), "books", "fields=id")
        assert answer == b'{"data":[{"id":2}]}'
        share = Share(uuid4(), ROLE, None, None, 0, "books", "3", True, OWNERS[0], None, None)
        accounts = Accounts(database)
        visitor = Caller(share=share.id)
        seen = await ShareRights(store, reader, accounts).of(model(), share, visitor)
        answer = await reader.list(model(), seen, visitor, "books", "fields=id")
        assert answer == b'{"data":[]}'
