# ruff: noqa: S608  (tampering is done by hand)
"""A sound log verifies; one tampered with is found out, at the first position concerned."""

from typing import Any

import pytest
from psycopg import sql

from domain.errors import ServiceUnavailable
from projections.database import Database
from projections.log import verify as module
from projections.log.redact import redact
from projections.log.seal import LEAF, Sealer, ensure_epoch
from projections.log.verify import Anchor, Finding, verify
from tests.log.support import run, value, write

EVENT = (
    "insert into acta.events (topic, item, payload, meta) values ('x', %(item)s, '{\"a\": 1}', '{\"b\": 2}')"
)
# seq 8 and 15 are burnt; the events of the stalled transaction come late: position 5 has seq 5, 18 has seq 7.
AT = "(select seq from sealed where position = {})"
SEALED = """
    create temporary view sealed as
    select first_position + row_number() over (partition by id order by seq) - 1 as position, seq
    from acta.seals, unnest(members) range, generate_series(lower(range), upper(range) - 1) seq
"""


@pytest.fixture
async def log(database: Database) -> Database:
    """24 positions in five seals (and the empty first one), not in the order of seq."""
    async with await database.dedicated() as connection:
        sealer = await Sealer.try_open(connection)
        assert sealer is not None
        await write(database, 6)
        await sealer.seal()
        async with database.transaction() as stalled:
            await stalled.execute(EVENT, {"item": "stalled"})
            async with database.connection() as other, other.transaction(force_rollback=True):
                await other.execute(EVENT, {"item": "burnt"})
            await write(database, 6)
            await sealer.seal()
            async with database.connection() as other, other.transaction(force_rollback=True):
                await other.execute(EVENT, {"item": "burnt"})
            await write(database, 5)
            await sealer.seal()
        await write(database, 3)
        await sealer.seal()
        await write(database, 3)
        await sealer.seal()
    return database


async def tamper(database: Database, *statements: str) -> None:
    """As a superuser who knows how to get around the guard."""
    async with await database.dedicated() as connection:
        await connection.execute("set session_replication_role = replica")
        await connection.execute(SEALED)
        for statement in statements:
            await connection.execute(statement)


async def finding(database: Database, **options: Any) -> Finding | None:
    return (await verify(database, **options)).finding


async def test_a_sound_log_verifies(log: Database) -> None:
    heard: list[tuple[int, int]] = []
    outcome = await verify(log, progress=lambda done, total: heard.append((done, total)))
    assert outcome.finding is None
    assert outcome.position == 24
    assert outcome.root == await value(log, "select root from acta.seals order by id desc limit 1")
    assert heard[-1] == (24, 24)


@pytest.mark.parametrize("window", [1, 5, 24])
@pytest.mark.parametrize("seals", [1, 2, 100])
async def test_however_it_is_divided(
    log: Database, monkeypatch: pytest.MonkeyPatch, window: int, seals: int
) -> None:
    monkeypatch.setattr(module, "WINDOW", window)
    monkeypatch.setattr(module, "SEALS", seals)
    assert await finding(log) is None
    await tamper(log, f"update acta.events set item = 'x' where seq = {AT.format(17)}")
    found = await finding(log, connections=3)
    assert found is not None
    assert found.position == 17


CHANGES = {
    "payload": 'payload = payload || \'{"text": "other"}\'',
    "payload gone": "payload = null",
    "meta": "meta = '{\"fields\": []}'",
    "actor": "actor = '00000000-0000-0000-0000-000000000001'",
    "request": "request = '00000000-0000-0000-0000-000000000001'",
    "context": "context = 99",
    "moment": "at = at - interval '1 microsecond'",
    "topic": "topic = 'item.updated'",
    "collection": "collection = 'others'",
    "item": "item = item || '0'",
    "transaction": "xid = '77'",
}


@pytest.mark.parametrize(
    ("change", "position"), [*((change, 18) for change in CHANGES), *(("payload", n) for n in (1, 6, 9, 24))]
)
async def test_a_changed_event(log: Database, change: str, position: int) -> None:
    await tamper(log, f"update acta.events set {CHANGES[change]} where seq = {AT.format(position)}")
    found = await finding(log)
    assert found is not None
    assert (found.position, found.reason.split()[-1]) == (position, "changed")


async def test_two_payloads_swapped(log: Database) -> None:
    one, other = AT.format(9), AT.format(20)
    await tamper(
        log,
        "create temporary table kept as select seq, payload from acta.events",
        f"update acta.events set payload = (select payload from kept where seq = {other}) where seq = {one}",
        f"update acta.events set payload = (select payload from kept where seq = {one}) where seq = {other}",
    )
    found = await finding(log)
    assert found is not None
    assert found.position == 9


async def test_two_events_swapped(log: Database) -> None:
    one, other = AT.format(10), AT.format(11)
    columns = "xid, at, topic, collection, item, actor, request, context, payload, meta"
    await tamper(
        log,
        f"create temporary table kept as select * from acta.events where seq in ({one}, {other})",
        "delete from acta.events where seq in (select seq from kept)",
        f"""
        insert into acta.events (seq, {columns}) overriding system value
        select (select sum(seq) from kept) - seq, {columns} from kept
        """,
    )
    found = await finding(log)
    assert found is not None
    assert found.position == 10


@pytest.mark.parametrize("position", [1, 13, 17, 18, 24])
async def test_a_removed_event(log: Database, position: int) -> None:
    await tamper(log, f"delete from acta.events where seq = {AT.format(position)}")
    found = await finding(log)
    assert found is not None
    assert (found.position, found.reason.split()[-1]) == (position, "removed")


async def test_all_events_removed(log: Database) -> None:
    await tamper(log, "delete from acta.events")
    found = await finding(log)
    assert found is not None
    assert found.position == 1


@pytest.mark.parametrize(("seq", "position"), [(0, 1), (8, 7), (15, 13), (500, 25)])
async def test_an_inserted_event(log: Database, seq: int, position: int) -> None:
    await tamper(
        log,
        f"""
        insert into acta.events (seq, xid, topic, collection, item, payload) overriding system value
        select {seq}, xid, topic, collection, item, payload from acta.events where seq = 2
        """,
    )
    found = await finding(log)
    assert found is not None
    assert (found.position, found.reason.split()[-1]) == (position, "inserted")


async def test_events_that_are_only_new_are_no_finding(log: Database) -> None:
    async with log.transaction() as connection:
        await connection.execute(EVENT, {"item": "open"})
        await write(log, 3)
        assert await finding(log) is None


@pytest.mark.parametrize(
    ("alteration", "position"),
    [
        ("at = at + interval '1 second'", 13),
        ("snapshot = '3:3:'", 13),
        ("floor = floor + 1", 13),
        ("system_identifier = 1", 13),
        ("leaves = set_byte(leaves, 0, get_byte(leaves, 0) # 1)", 13),
        ("root = sha256(root)", 13),
        ("previous = sha256(previous)", 13),
        ("last_position = last_position + 1", 13),
        ("first_position = first_position + 1", 13),
        ("members = members + '{[500,501)}'", 18),
        ("members = members - int8multirange(int8range(lower(members), lower(members) + 1))", 13),
        ("id = 33", 13),
    ],
)
async def test_an_altered_seal(log: Database, alteration: str, position: int) -> None:
    await tamper(log, f"update acta.seals set {alteration} where id = 3")
    found = await finding(log)
    assert found is not None
    assert found.position == position


async def test_a_removed_seal(log: Database) -> None:
    await tamper(log, "delete from acta.seals where id = 2")
    assert await finding(log) == Finding(7, "seal 2 is missing")


async def test_an_event_changed_and_its_seal_made_anew(log: Database) -> None:
    await tamper(log, f"update acta.events set payload = null where seq = {AT.format(14)}")
    async with log.connection() as connection:
        body = sql.SQL(
            """
            update acta.seals set root = sha256(previous || (
                select sha256(string_agg({leaf}, ''::bytea order by event.seq))
                from acta.events event where members @> event.seq
            ) || convert_to(json_build_array(
                id, first_position, last_position, members, floor, snapshot, system_identifier, at
            )::text, 'UTF8')) where id = 3
            """
        )
        await connection.execute(body.format(leaf=LEAF))
        await connection.execute(
            sql.SQL(
                """
                update acta.seals set leaves = (
                    select string_agg(substr({leaf}, 1, 8), ''::bytea order by event.seq)
                    from acta.events event where members @> event.seq
                ) where id = 3
                """
            ).format(leaf=LEAF)
        )
    assert await finding(log) == Finding(13, "seal 3 was made anew")


async def test_the_tail_of_the_events_cut_off(log: Database) -> None:
    await tamper(log, f"delete from acta.events where seq >= {AT.format(20)}")
    found = await finding(log)
    assert found is not None
    assert found.position == 20


async def test_the_tail_cut_off_with_its_seals(log: Database) -> None:
    await tamper(
        log,
        f"delete from acta.events where seq >= {AT.format(22)}",
        "delete from acta.seals where id = 5",
    )
    assert await finding(log) == Finding(22, "the log was cut off: seal has been at 24")


async def test_a_root_noted_elsewhere(log: Database) -> None:
    outcome = await verify(log)
    anchor = Anchor(outcome.position, outcome.root)
    assert await finding(log, anchor=anchor) is None
    await write(log, 5)
    async with await log.dedicated() as connection:
        sealer = await Sealer.try_open(connection)
        assert sealer is not None
        await sealer.seal()
    assert await finding(log, anchor=anchor) is None
    assert await finding(log, anchor=Anchor(24, bytes(32))) == Finding(
        1, "the log was rewritten: position 24 had another root"
    )
    await tamper(
        log,
        f"delete from acta.events where seq >= {AT.format(22)}",
        "delete from acta.seals where id > 4",
        "delete from acta.cursors",
    )
    assert await finding(log) is None
    assert await finding(log, anchor=anchor) == Finding(22, "the log was cut off: it reached 24")


async def test_no_log_is_an_error(database_url: str) -> None:
    async with await Database.open(database_url) as empty:
        with pytest.raises(ServiceUnavailable, match="no log"):
            await verify(empty)


async def test_a_log_of_another_cluster(log: Database) -> None:
    """After an epoch began, foreign transaction ids may be anything and say nothing."""
    await write(log, 2)
    await tamper(log, "update acta.events set xid = '99999999' where seq > 26")
    await run(log, "update acta.seals set system_identifier = 1 where id < 0")
    async with await log.dedicated() as connection:
        sealer = await Sealer.try_open(connection)
        assert sealer is not None
        sealer.chain.foreign = True
        assert await sealer.seal() == 2
        assert await sealer.seal() == 0
    assert await ensure_epoch(log) is False
    assert await finding(log) is None


async def sealed(database: Database) -> None:
    async with await database.dedicated() as connection:
        sealer = await Sealer.try_open(connection)
        assert sealer is not None
        await sealer.seal()


async def test_redacted_values_are_gone_and_the_chain_holds(log: Database) -> None:
    await run(
        log,
        """
        insert into acta.events (topic, collection, item, payload, meta) values
        ('item.created', 'people', '1', '{"id": 1, "name": "Ada", "mail": "a@x"}', null),
        ('item.updated', 'people', '1', '{"name": "Ada L."}', '{"submitted": {"name": " Ada L.", "id": 1}}'),
        ('item.updated', 'people', '1', '{"id": 1}', null),
        ('item.created', 'people', '2', '{"id": 2, "name": "Bob"}', null),
        ('item.deleted', 'people', '1', null, null)
        """,
    )
    await run(log, "insert into acta.snapshots values ('people', '1', 28, '{\"name\": \"Ada\"}')")
    await sealed(log)
    assert await redact(log, "people", "1", ["name", "mail"]) == 2
    await sealed(log)
    found = await value(
        log, "select jsonb_agg(payload order by seq) from acta.events where collection = 'people'"
    )
    assert found[:5] == [{"id": 1}, {}, {"id": 1}, {"id": 2, "name": "Bob"}, None]
    text = await value(log, "select string_agg(e::text, '') from acta.events e where item = '1'")
    assert "Ada" not in text
    assert "a@x" not in text
    assert await value(log, "select count(*) from acta.snapshots") == 0
    assert await finding(log) is None
    # Again, of a field that one of them still has.
    assert await redact(log, "people", "1", ["id"]) == 3
    assert await redact(log, "people", "1", ["id", "name"]) == 0
    await sealed(log)
    assert await finding(log) is None

    first = await value(log, "select min(seq) from acta.events where collection = 'people'")
    await tamper(log, f'update acta.events set payload = \'{{"name": "Eve"}}\' where seq = {first}')
    found = await finding(log)
    assert found is not None
    assert found.reason == f"event {first} was changed after it was redacted"
    assert found.position == await value(
        log, "select first_position from acta.seals where members @> %(seq)s::bigint", {"seq": first}
    )
