"""Our recorder passes the library's own test cases, and runs its applications and subscriptions."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.postgres import PostgresDatastore
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)

from domain.events import ItemCreated, ItemDeleted, ItemUpdated
from domain.log import LogMapper, OrjsonTranscoder
from projections.database import Database
from projections.log import recorder as module
from projections.log.prepare import prepare
from projections.log.recorder import ActaRecorder, LogDatastore
from tests.log.support import assert_all_sealed_once
from workers import sealer

MAPPER = LogMapper(OrjsonTranscoder())


async def prepared(url: str) -> None:
    async with await Database.open(url) as database:
        await prepare(database)


@pytest.fixture
def datastore(database_url: str) -> Iterator[PostgresDatastore]:
    asyncio.run(prepared(database_url))
    with LogDatastore(database_url, pool_size=4, max_overflow=10) as datastore:
        yield datastore


class TestContract(ApplicationRecorderTestCase[ActaRecorder]):
    """The library's contract, whole. Its concurrent cases count versions from 0, so all of them do here."""

    INITIAL_VERSION = 0
    __test__ = True

    @pytest.fixture(autouse=True)
    def _with(self, datastore: PostgresDatastore) -> None:
        self.datastore = datastore

    def new_originator_id(self) -> UUID | str:
        # Our originators are texts (`articles/5`), the library's default is a UUID.
        return f"things/{uuid4()}"

    def create_recorder(self) -> ActaRecorder:
        return ActaRecorder(self.datastore, first_version=0)

    def test_insert_subscribe(self) -> None:
        super().optional_test_insert_subscribe()


class TestInterleaving(NonInterleavingNotificationIDsBaseCase):
    """Two transactions at once: the library's lock keeps their positions apart, ours may mix them.

    The case is run for all it checks before that (every event of both found once, in `select_notifications`);
    its last assertion is replaced by ours: positions of each originator rise with its versions.
    """

    insert_num = 1000
    __test__ = True

    @pytest.fixture(autouse=True)
    def _with(self, datastore: PostgresDatastore) -> None:
        self.recorder = ActaRecorder(datastore, first_version=0)

    def new_originator_id(self) -> UUID | str:
        return f"things/{uuid4()}"

    def create_recorder(self) -> ActaRecorder:
        return self.recorder

    def test(self) -> None:
        with contextlib.suppress(AssertionError):
            super().test()
        found = self.recorder.select_notifications(None, 10_000)
        assert [notification.id for notification in found] == list(range(1, 2001))
        for originator in {notification.originator_id for notification in found}:
            versions = [n.originator_version for n in found if n.originator_id == originator]
            assert versions == list(range(1000))


@pytest.fixture
def recorder(datastore: PostgresDatastore) -> ActaRecorder:
    return ActaRecorder(datastore)


def events(number: int, first: int = 1) -> list[Any]:
    item = f"articles/{number}"
    created = ItemCreated(
        originator_id=item, originator_version=first, actor=UUID(int=3), values={"id": number}
    )
    updated = ItemUpdated(
        originator_id=item, originator_version=first + 1, values={"title": "é"}, meta={"fields": ["title"]}
    )
    return [
        created,
        updated,
        ItemDeleted(originator_id=item, originator_version=first + 2, request=UUID(int=4)),
    ]


def test_our_events_come_back_as_they_went(recorder: ActaRecorder) -> None:
    stored = [MAPPER.to_stored_event(event) for event in events(5)]
    assert recorder.insert_events(stored) == [1, 2, 3]
    read = [cast("Any", MAPPER.to_domain_event(event)) for event in recorder.select_events("articles/5")]
    assert all(event.at is not None for event in read)
    for event, original in zip(read, events(5), strict=True):
        assert vars(event) == {**vars(original), "at": event.at}
    notified = recorder.select_notifications(2, 10)
    assert [(event.id, event.originator_version, event.topic) for event in notified] == [
        (2, 2, "item.updated"),
        (3, 3, "item.deleted"),
    ]
    assert MAPPER.to_domain_event(notified[0]) == read[1]


def test_columns_are_columns(recorder: ActaRecorder, datastore: PostgresDatastore) -> None:
    recorder.insert_events([MAPPER.to_stored_event(event) for event in events(5)])
    with datastore.cursor() as cursor:
        found = cursor.execute(
            "select topic, collection, item, actor, request, payload, meta from acta.events order by seq"
        ).fetchall()
    assert [tuple(row.values()) for row in found] == [
        ("item.created", "articles", "5", UUID(int=3), None, {"id": 5}, None),
        ("item.updated", "articles", "5", None, None, {"title": "é"}, {"fields": ["title"]}),
        ("item.deleted", "articles", "5", None, UUID(int=4), None, None),
    ]


def test_versions_are_counted_over_items_and_collections(recorder: ActaRecorder) -> None:
    for first in (1, 4):
        recorder.insert_events([MAPPER.to_stored_event(event) for event in events(1, first)])
    recorder.insert_events(
        [StoredEvent("articles", 1, "collection.updated", b'{"payload": {"new": {}, "old": {}}}')]
    )
    recorder.insert_events([StoredEvent("articles", 2, "collection.deleted", b'{"payload": {"old": {}}}')])
    found = recorder.select_notifications(6, 10)
    assert [(event.originator_id, event.originator_version) for event in found] == [
        ("articles/1", 6),
        ("articles", 1),
        ("articles", 2),
    ]
    with pytest.raises(IntegrityError):
        recorder.insert_events([MAPPER.to_stored_event(event) for event in events(1, 6)])
    with pytest.raises(IntegrityError):
        recorder.insert_events([MAPPER.to_stored_event(event) for event in events(1, 8)])


def test_what_runs_with_the_append_shares_its_fate(datastore: PostgresDatastore) -> None:
    class Projecting(ActaRecorder):
        def _insert_events(self, curs: Any, stored_events: Any, **kwargs: Any) -> None:
            curs.execute("create table public.made (x int)")

    recorder = Projecting(datastore)
    wrong = MAPPER.to_stored_event(ItemDeleted(originator_id="a/1", originator_version=9))
    right = MAPPER.to_stored_event(ItemDeleted(originator_id="a/1", originator_version=1))
    with pytest.raises(IntegrityError):
        recorder.insert_events([wrong])
    assert recorder.insert_events([right]) == [1]


def test_topics_are_found_far_apart(recorder: ActaRecorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW", 4)
    for number in range(10):
        recorder.insert_events([MAPPER.to_stored_event(event) for event in events(number)])
    found = recorder.select_notifications(2, 5, topics=["item.deleted"])
    assert [event.id for event in found] == [3, 6, 9, 12, 15]
    assert recorder.select_notifications(None, 5, topics=["none"]) == []
    assert [event.id for event in recorder.select_notifications(4, 9, stop=9, topics=["item.deleted"])] == [
        6,
        9,
    ]


async def test_a_subscription_follows_a_running_sealer(database: Database, database_url: str) -> None:
    stop = asyncio.Event()
    sealing = asyncio.create_task(sealer.run(database, stop))

    def follow() -> list[int]:
        with LogDatastore(database_url, pool_size=4) as datastore:
            recorder = ActaRecorder(datastore)
            with recorder.subscribe(gt=0) as subscription:
                writer = threading.Thread(target=write, args=(recorder,))
                writer.start()
                ids = []
                for notification in subscription:
                    ids.append(notification.id)
                    if len(ids) == 60:
                        break
                writer.join()
            return ids

    def write(recorder: ActaRecorder) -> None:
        for number in range(20):
            recorder.insert_events([MAPPER.to_stored_event(event) for event in events(number)])

    assert await asyncio.to_thread(follow) == list(range(1, 61))
    stop.set()
    await sealing
    await assert_all_sealed_once(database)
