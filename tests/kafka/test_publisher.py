"""The publisher against a real broker: what arrives, and that it arrives whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from domain.settings import Settings
from domain.streams.cloud_events import Message
from projections.database import Database
from projections.log import cursors
from tests.kafka.conftest import Stream, event, header, position
from tests.log.support import run, value, write
from tests.support.kafka import PASSWORD
from tests.support.server import acta
from tests.support.waiting import until
from workers import follower as module
from workers.follower import EnvironmentTrouble
from workers.kafka import client as client_module
from workers.kafka.client import Client, Place, RefusedMessage
from workers.main import run as run_worker

# The client library leaves sockets of failed connections to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    """A worker in this process."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_worker(settings, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(module, "LAST_RETRY_SECONDS", 0.5)


async def until_published(database: Database, target: int, seconds: float = 60) -> None:
    async def done() -> bool:
        found = await value(database, "select max(position) from acta.cursors where name = 'kafka'")
        return found is not None and found >= target

    await until(done, seconds)


async def assorted(database: Database) -> None:
    await run(
        database,
        """
        insert into acta.events (topic, collection, item, request, payload, meta) values
            ('item.created', 'über news', '1,a/b', '7f3c0f3e-5f0c-4f4e-9d2c-0f6f3f1c2b1a',
             '{"id": 1, "big": 123456789012345678901234567890}', null),
            ('item.created', 'directus_users', 'u',  null, '{"email": "a@b.c", "password": "$argon"}', null),
            ('collection.created', 'news', null, null, '{"new": {}}', '{"class_version": 2}'),
            ('item.deleted', 'news', '1', null, null, null)
        """,
    )
    await run(
        database,
        """
        insert into acta.events (topic, collection, item, payload)
        select 'item.created', 'huge', '1', jsonb_build_object('text', repeat('x', 20000))
        """,
    )


async def test_what_arrives(database: Database, database_url: str, stream: Stream) -> None:
    await assorted(database)
    more = {"KAFKA_TOMBSTONES": "true", "KAFKA_MAX_MESSAGE_BYTES": "10000"}
    async with working(stream.settings(database_url, **more)):
        await until_published(database, 5)
    records = sorted(stream.records(), key=position)
    assert [position(record) for record in records] == [1, 2, 3, 4, 4, 5]
    assert [record.topic.removeprefix(stream.prefix) for record in records] == [
        "._ber_news",
        ".directus_users",
        ".schema",
        ".news",
        ".news",
        ".huge",
    ]
    first, user, schema, deleted, tombstone, huge = records
    assert first.key == "über news/1,a/b".encode()
    assert b'"big":123456789012345678901234567890' in first.value.replace(b" ", b"")
    told = event(first)
    assert {name: told[name] for name in ("specversion", "id", "source", "type", "subject", "sequence")} == {
        "specversion": "1.0",
        "id": "1",
        "source": "https://cms.example.com",
        "type": "item.created",
        "subject": "über news/1,a/b",
        "sequence": "1",
    }
    assert told["time"].endswith("+00:00")
    assert header(first, "request") == told["request"] == "7f3c0f3e-5f0c-4f4e-9d2c-0f6f3f1c2b1a"
    assert header(first, "content-type") == "application/cloudevents+json; charset=utf-8"
    assert (header(first, "version"), header(schema, "version")) == ("1", "2")
    assert event(user)["data"] == {"email": "a@b.c", "password": "**********"}
    assert (event(deleted).get("data"), tombstone.value, tombstone.key) == (None, None, b"news/1")
    assert "data" not in event(huge)
    assert event(huge)["dataref"] == "https://cms.example.com/revisions/5"


async def test_the_console_tool_shows_a_readable_record(
    database: Database, database_url: str, stream: Stream
) -> None:
    await write(database, 3)
    async with working(stream.settings(database_url)):
        await until_published(database, 3)
    arguments = ["--bootstrap-server", stream.broker.address, "--topic", f"{stream.prefix}.things"]
    arguments += ["--from-beginning", "--max-messages", "3", "--timeout-ms", "30000"]
    arguments += ["--isolation-level", "read_committed"]
    arguments += [f"--property=print.{name}=true" for name in ("key", "headers")]
    shown = await asyncio.to_thread(
        stream.broker.tool, "org.apache.kafka.tools.consumer.ConsoleConsumer", *arguments
    )
    assert sorted(line.split("\t")[1] for line in shown.splitlines()) == ["things/1", "things/2", "things/3"]
    assert "position:1,seq:1,type:item.created" in shown
    assert '"data":{"id": 1, "text": "number 1"}' in shown


async def test_zombies_are_fenced(stream: Stream, database_url: str) -> None:
    settings = stream.settings(database_url).kafka
    message = Message(f"{stream.prefix}.things", b"things/1", b"{}", [("position", b"1")])

    def play() -> Place | None:
        zombie, heir = Client(settings, "same"), Client(settings, "same")
        assert zombie.open() is None
        zombie.publish([message], Place(1, 1, 0))
        assert heir.open() == Place(1, 1, 0)
        with pytest.raises(EnvironmentTrouble, match="Fenced"):
            zombie.publish([message], Place(2, 2, 0))
        assert not zombie.is_open
        heir.publish([message], Place(2, 2, 0))
        heir.close()
        # Whoever died between sending and committing leaves nothing behind.
        dying = Client(settings, "same")
        dying.open()
        dying._producer.begin_transaction()
        dying._producer.send(message.topic, key=message.key, value=b"never").get(10)
        found = heir.open()
        heir.close()
        dying.close()
        return found

    assert await asyncio.to_thread(play) == Place(2, 2, 0)
    assert len(await asyncio.to_thread(stream.records)) == 2


async def test_passwords_and_certificates(stream: Stream, database_url: str) -> None:
    secure = {
        "KAFKA_BOOTSTRAP_SERVERS": stream.broker.secure_address,
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SSL_CA_FILE": str(stream.broker.authority),
        "KAFKA_SASL_USERNAME": "acta",
        "KAFKA_SASL_PASSWORD": PASSWORD,
    }

    def play() -> None:
        good = Client(stream.settings(database_url, **secure).kafka, "secure")
        assert good.open() is None
        good.close()
        for wrong in ({"KAFKA_SASL_PASSWORD": "wrong"}, {"KAFKA_SSL_CA_FILE": "/nowhere.pem"}):
            with pytest.raises(EnvironmentTrouble) as caught:
                Client(stream.settings(database_url, **{**secure, **wrong}).kafka, "wrong").open()
            assert PASSWORD not in str(caught.value)

    await asyncio.to_thread(play)


async def test_a_message_that_is_refused_is_parked(
    database: Database, database_url: str, stream: Stream
) -> None:
    settings = stream.settings(database_url, KAFKA_TOPIC=stream.prefix + ".{collection}")
    await write(database, 2)
    async with working(settings):
        await until_published(database, 2)
        await asyncio.to_thread(
            stream.broker.tool,
            "kafka.admin.ConfigCommand",
            *("--bootstrap-server", stream.broker.address, "--alter", "--entity-type", "topics"),
            *("--entity-name", f"{stream.prefix}.things", "--add-config", "max.message.bytes=5000"),
        )
        await run(
            database,
            """
            insert into acta.events (topic, collection, item, payload)
            select 'item.updated', 'things', n::text,
                jsonb_build_object('text', repeat('x', 9001 - n % 2 * 9000))
            from generate_series(1, 3) n
            """,
        )
        await until_published(database, 5)
    assert sorted(map(position, stream.records())) == [1, 2, 3, 5]
    async with database.connection() as connection:
        (parked,) = await cursors.parked(connection, "kafka")
    assert parked.position == 4
    assert parked.error.startswith(RefusedMessage.__name__)


async def test_a_deleted_topic_is_made_again(database: Database, database_url: str, stream: Stream) -> None:
    async with working(stream.settings(database_url)):
        await write(database, 2)
        await until_published(database, 2)
        await asyncio.to_thread(stream.delete_topic, f"{stream.prefix}.things")
        await write(database, 3)
        await until_published(database, 5)
    assert sorted(map(position, stream.records())) == [3, 4, 5]


async def test_rewinding_and_replaying(database: Database, database_url: str, stream: Stream) -> None:
    async with working(stream.settings(database_url)):
        await write(database, 4)
        await write(database, 2, "others")
        await until_published(database, 6)
        for again in (False, True):
            async with database.connection() as connection:
                await cursors.rewind(connection, "kafka", 4, again=again)
            await until_published(database, 6)
        seen = sorted(map(position, await asyncio.to_thread(stream.records)))
        assert seen == [1, 2, 3, 4, 5, 5, 6, 6]
        replayed = await asyncio.to_thread(
            lambda: acta(
                database_url,
                *("kafka", "replay", "--from", "3", "--collection", "things"),
                extra=stream.environment,
            )
        )
        assert "published 2 events again" in replayed.stderr
        await write(database, 1)
        await until_published(database, 7)
    records = await asyncio.to_thread(stream.records)
    assert sorted(map(position, records)) == [1, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7]
    assert sorted(position(record) for record in records if header(record, "replay")) == [3, 4]


async def test_a_database_set_back_is_noticed(database: Database, database_url: str, stream: Stream) -> None:
    settings = stream.settings(database_url)
    client = Client(settings.kafka, settings.kafka.instance)
    await asyncio.to_thread(client.open)
    await asyncio.to_thread(client.publish, [], Place(3, 77, 0))
    await asyncio.to_thread(client.close)
    async with working(settings):
        await write(database, 5)

        async def told() -> bool:
            async with database.connection() as connection:
                found = {entry.name: entry for entry in await cursors.overview(connection)}.get("kafka")
            return found is not None and "was the database set back" in (found.error or "")

        await until(told)
        assert stream.records() == []


async def test_no_broker_at_the_start(database: Database, database_url: str, stream: Stream) -> None:
    settings = stream.settings(database_url, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    await write(database, 1)
    async with working(settings):

        async def told() -> bool:
            async with database.connection() as connection:
                found = {entry.name: entry for entry in await cursors.overview(connection)}.get("kafka")
            return found is not None and found.failures > 0 and "Kafka" in (found.error or "")

        await until(told, 60)


SOON = {"REQUEST_MS": 1500, "BLOCK_MS": 3000, "DELIVERY_SECONDS": 3, "COMMIT_SECONDS": 4}


def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client gives up soon, so that seconds stand for an hour."""
    for name, limit in SOON.items():
        monkeypatch.setattr(client_module, name, limit)


async def until_in_trouble(database: Database, failures: int) -> str:
    """Wait until the publisher has failed so often; what operators are told."""
    found: list[str] = []

    async def told() -> bool:
        async with database.connection() as connection:
            entry = {entry.name: entry for entry in await cursors.overview(connection)}["kafka"]
        found.append(entry.error or "")
        return entry.failures >= failures

    await until(told, 90)
    return found[-1]


async def test_a_broker_that_stays_away(
    database: Database, database_url: str, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried(monkeypatch)
    async with working(stream.settings(database_url)):
        await write(database, 2)
        await until_published(database, 2)
        await asyncio.to_thread(stream.broker.kill)
        await write(database, 3)
        assert "Kafka: " in await until_in_trouble(database, 3)
        # Nobody waits: what is written is sealed as ever.
        await write(database, 4)
        async with asyncio.timeout(60):
            while await value(database, "select max(last_position) from acta.seals") < 9:
                await asyncio.sleep(0.05)
        stream.broker.start()
        await until_published(database, 9)
    assert sorted(map(position, stream.records())) == list(range(1, 10))


async def test_a_broker_whose_disk_is_full(
    database: Database, database_url: str, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried(monkeypatch)
    async with working(stream.settings(database_url)):
        await write(database, 2)
        await until_published(database, 2)
        # No file of the broker may grow any more: it gives up its only directory, and itself.
        stream.broker.fill_disk()
        await run(
            database,
            """
            insert into acta.events (topic, collection, item, payload)
            select 'item.updated', 'things', '1', jsonb_build_object('text', repeat(md5(n::text), 8000))
            from generate_series(1, 8) n
            """,
        )
        assert "Kafka: " in await until_in_trouble(database, 2)
        await asyncio.to_thread(stream.broker.kill)
        stream.broker.start()
        await until_published(database, 10)
    assert sorted(map(position, stream.records())) == list(range(1, 11))
    assert await value(database, "select count(*) from acta.parked") == 0
