"""Closed partitions in files: everything still verifies, folds, restores; what is broken is named."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from domain.access.command import Command
from domain.errors import ActaError, PreconditionFailed
from domain.settings import Settings
from projections.database import Database
from projections.log import positions
from projections.log.redact import redact
from projections.log.verify import Outcome, verify
from projections.time import archives
from projections.time.diff import blame
from projections.time.export import export_log
from projections.time.in_place import Scope, restore
from projections.time.into import IntoDatabase
from projections.time.moments import cut_at, resolve
from projections.time.undo import Asked, Undo
from services.archive.archiver import Archiver
from services.storage.base import StorageFull
from services.storage.local import LocalStorage
from services.storage.locations import Locations
from tests.support.project import Project
from tests.support.server import acta
from tests.time.test_in_place import library
from tests.time.test_into import opened, quiet, target_url

__all__ = ["target_url"]
RANGE = 10_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def archiver(project: Project, folder: Path) -> Archiver:
    settings = Settings.parse(
        {"STORAGE_LOCATIONS": "cold", "STORAGE_COLD_DRIVER": "local", "STORAGE_COLD_ROOT": str(folder)}
    )
    return Archiver(project.database, Locations(settings.storage))


async def close_partition(project: Project, number: int) -> None:
    """Go on in the next range of the log, as after millions of events."""
    await project.sql("select setval('acta.events_seq_seq', %s)", number * RANGE)
    await project.update("authors", 3, {"name": "Cid"})
    await project.now()


async def lived(project: Project) -> tuple[int, dict[str, list[Any]], int, dict[str, list[Any]]]:
    """Two closed partitions; a moment in the first and one in the second, with all there was then."""
    await library(project)
    await project.sql("insert into acta.events (topic, actor) values ('user.login', gen_random_uuid())")
    early = await project.now(), await project.everything()
    await project.update("books", 1, {"title": "Changed"})
    await project.delete("books", 2)
    await project.service.delete_field(Command.internal(), "authors", "name")
    await project.service.create_field(
        Command.internal(), "authors", {"field": "name", "type": "string", "schema": {"default_value": "new"}}
    )
    await close_partition(project, 1)
    await project.update("books", 3, {"title": "Again"})
    await project.delete("books", 4)
    await project.create("books", {"title": "Second", "author": 1})
    middle = await project.now(), await project.everything()
    await project.update("books", 3, {"title": "And again"})
    await project.create("books", {"id": 2, "title": "Back", "author": 2})
    await close_partition(project, 2)
    return *early, *middle


async def archive_all(archiver: Archiver) -> None:
    for partition in await archiver.closed():
        await archiver.archive(partition, "cold")


async def verified(project: Project, archiver: Archiver) -> Outcome:
    return await verify(project.database, source=archiver.rows)


async def test_the_log_goes_on_as_before(project: Project, archiver: Archiver, target_url: str) -> None:
    early, first, middle, second = await lived(project)
    before, root = await project.everything(), await verify(project.database)
    assert [one.number for one in await archiver.closed()] == [1, 2]
    await archive_all(archiver)
    made = await archiver.archives()
    assert [(one.number, one.events > 5, one.bytes > 100, one.table_bytes > 1000) for one in made] == [
        (1, True, True, True),
        (2, True, True, True),
    ]
    assert await archiver.closed() == []
    # Present states rest on what is kept; the chain on the files.
    assert await project.differences() == []
    assert await verified(project, archiver) == root
    for position, then in ((early, first), (middle, second)):
        with pytest.raises(ActaError, match="acta log recall"):
            await resolved(project, position)
        async with project.database.connection() as connection:
            cut = await cut_at(connection, position)
        async with await Database.open(target_url) as target:
            await IntoDatabase(project.database, target, cut, ("public",), quiet, archiver.rows).run()
            outcome = await verify(target)
            assert (outcome.position, outcome.finding) == (position, None)
        async with opened(project, target_url) as restored:
            assert await restored.everything() == then
            assert await restored.differences() == []
            await restored.sql("drop schema public cascade")
            await restored.sql("drop schema acta cascade")
            await restored.sql("create schema public")
    for archive in await archiver.archives():
        await archiver.recall(archive)
    assert await archiver.archives() == []
    assert await verify(project.database) == root
    assert await project.differences() == []
    cut = await resolved(project, early)
    await restore(project.service, Command.internal(), cut, Scope())
    assert await project.everything() == first
    assert before != first


async def resolved(project: Project, position: int) -> Any:
    async with project.database.connection() as connection:
        return await resolve(connection, position)


async def test_an_item_brings_its_own_events_back(project: Project, archiver: Archiver) -> None:
    await lived(project)
    told = (
        "select id, collection, item, data, delta from acta.directus_revisions"
        " where collection = 'books' order by id"
    )
    events = "select * from acta.events where collection = 'books' and item = %s order by seq"
    before, root = await project.sql(told), await verify(project.database)
    whole = {item: await project.sql(events, item) for item in ("1", "2", "3", "4")}
    who = await blame(project.database, "books", "3")
    await archive_all(archiver)
    assert len(await project.sql(told)) < len(before)
    for item, there in whole.items():
        await archiver.item("books", item)
        assert await project.sql(events, item) == there
    assert await blame(project.database, "books", "3") == who
    assert [row for row in await project.sql(told) if row[2] in whole] == [
        row for row in before if row[2] in whole
    ]
    assert await verified(project, archiver) == root
    assert await project.differences() == []
    for archive in await archiver.archives():
        await archiver.recall(archive)
    assert await project.sql(told) == before


async def test_an_item_comes_back_once_from_each_archive(project: Project, archiver: Archiver) -> None:
    await lived(project)
    events = "select * from acta.events where collection = 'books' and item = '3' order by seq"
    whole, root = await project.sql(events), await verify(project.database)
    first, second = await archiver.closed()
    elsewhere = Archiver(project.database, archiver._locations)
    await archiver.archive(first, "cold")
    asked = [one.item("books", "3") for one in (archiver, elsewhere) for _ in range(4)]
    await asyncio.gather(*asked)
    assert await project.sql(events) == whole
    # It is back from the first archive, and not from those that are made later.
    await archiver.archive(second, "cold")
    assert await project.sql(events) != whole
    await asyncio.gather(*(one.item("books", "3") for one in (archiver, elsewhere)))
    assert await project.sql(events) == whole
    assert await verified(project, archiver) == root


async def test_so_many_closed_partitions_stay(project: Project) -> None:
    await lived(project)
    for keep, told in ((1, 1), (2, 0), (3, 0)):
        done = acta(project.url, "log", "archive", "--dry-run", "--keep", str(keep))
        assert (done.returncode, len(done.stdout.splitlines())) == (0, told)


async def test_what_needs_the_archive_says_so(project: Project, archiver: Archiver, tmp_path: Path) -> None:
    early, *_ = await lived(project)
    request = Command.internal()
    ((activity,),) = await project.sql("select min(seq) from acta.events where topic = 'item.updated'")
    ((dropped,),) = await project.sql("select seq from acta.events where topic = 'field.deleted'")
    ((version,),) = await project.sql(
        "select xid::text from acta.events where collection = 'books' and item = '1' order by seq limit 1"
    )
    await archive_all(archiver)
    # Whoever still holds a version from before hears that anything may have changed.
    with pytest.raises(PreconditionFailed) as refused:
        await project.writer.update_one(
            request, project.store.current, "books", "1", {"title": "x"}, "", expected=(version,)
        )
    assert refused.value.extensions["fields"] == ["author", "id", "title"]
    undo = Undo(project.database, project.store, project.reader, project.service)
    for asked in (Asked(activity=activity), Asked(request=request.request), Asked(activity=dropped)):
        with pytest.raises(ActaError, match="archived"):
            await undo.undo(request, asked)
    with pytest.raises(ActaError, match="archived"):
        await project.service.undo(request, dropped)
    with pytest.raises(ActaError, match="archived"):
        await redact(project.database, "books", "1", ["title"])
    with pytest.raises(ActaError, match="archived"):
        await export_log(project.database, tmp_path / "log", ["public"], quiet)
    async with project.database.connection() as connection:
        with pytest.raises(ActaError, match="archived"):
            await positions.read(connection, early - 2)
        with pytest.raises(ActaError, match="archived"):
            await positions.read(connection, 0)
        last = (await archiver.archives())[-1].position
        assert (await positions.read(connection, last))[0].position == last + 1


async def test_followers_and_writers_hold_an_archive_up(project: Project, archiver: Archiver) -> None:
    await lived(project)
    with pytest.raises(ActaError, match='no storage "warm"'):
        await archiver.archive((await archiver.closed())[0], "warm")
    await project.sql("insert into acta.cursors (name, position) values ('kafka', 3)")
    with pytest.raises(ActaError, match="kafka is at position 3"):
        await archive_all(archiver)
    assert await archiver.archives() == []
    await project.sql("delete from acta.cursors where name = 'kafka'")
    await archive_all(archiver)
    assert len(await archiver.archives()) == 2


@pytest.mark.parametrize("harm", ["missing", "changed", "other", "garbage"])
async def test_a_broken_archive_is_named(
    project: Project, archiver: Archiver, folder: Path, harm: str, target_url: str
) -> None:
    early, *_ = await lived(project)
    await archive_all(archiver)
    path = sorted(folder.rglob("*.gz"))[0]
    content = gzip.decompress(path.read_bytes())
    if harm == "missing":
        path.unlink()
    elif harm == "changed":
        path.write_bytes(gzip.compress(content.replace(b"Changed", b"Chanted")))
    elif harm == "other":
        # Whoever may change the database, too, is found by the chain.
        path.write_bytes(gzip.compress(content.replace(b"Changed", b"Chanted")))
        await note_digest(project, path)
    else:
        path.write_bytes(gzip.compress(b"1\t2\n"))
        await note_digest(project, path)
    outcome = await verified(project, archiver)
    reasons = {
        "missing": "is missing",
        "changed": "was changed",
        "other": "was changed",
        "garbage": "is no log",
    }
    assert outcome.finding is not None
    assert reasons[harm] in outcome.finding.reason
    if harm == "other":
        return
    kept = await project.sql("select * from acta.events order by seq")
    with pytest.raises(ActaError, match=reasons[harm]):
        await archiver.recall((await archiver.archives())[0])
    with pytest.raises(ActaError, match=reasons[harm]):
        await archiver.item("books", "1")
    async with project.database.connection() as connection:
        cut = await cut_at(connection, early)
    async with await Database.open(target_url) as target:
        with pytest.raises(ActaError, match=reasons[harm]):
            await IntoDatabase(project.database, target, cut, ("public",), quiet, archiver.rows).run()
    assert await project.sql("select * from acta.events order by seq") == kept


async def note_digest(project: Project, path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    await project.sql(
        "update acta.archive_files set sha256 = %s where path like %s",
        digest,
        f"%{path.parent.name}/{path.name}",
    )


async def test_a_full_storage_leaves_nothing_half_done(
    project: Project, archiver: Archiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived(project)
    kept = await project.sql("select * from acta.events order by seq")

    async def full(*_: Any) -> int:
        raise StorageFull("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "write", full)
        with pytest.raises(ActaError, match=r"can't be written: No space left on device"):
            await archive_all(archiver)
    assert await project.sql("select * from acta.events order by seq") == kept
    await archive_all(archiver)
    assert (await verified(project, archiver)).finding is None


async def test_kept_events_are_held_against_the_archive(project: Project, archiver: Archiver) -> None:
    await lived(project)
    await archive_all(archiver)
    await project.sql(
        "update acta.events_000001 set payload = payload || '{\"x\": 1}' where topic = 'field.deleted'"
    )
    finding = (await verified(project, archiver)).finding
    assert finding is not None
    assert "was changed" in finding.reason


@pytest.mark.parametrize("at", ["write", "put away"])
async def test_killed_it_leaves_nothing_half_done(
    project: Project, archiver: Archiver, folder: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    await lived(project)
    events, root = await project.sql("select * from acta.events order by seq"), await verify(project.database)

    async def killed(*_: Any) -> AsyncIterator[None]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archives, "same" if at == "write" else "_replace", killed)
        with pytest.raises(KeyboardInterrupt):
            await archive_all(archiver)
    assert await project.sql("select * from acta.events order by seq") == events
    assert await archiver.archives() == []
    left = set(folder.rglob("*.gz"))
    assert left
    await archive_all(archiver)
    assert not left & set(folder.rglob("*.gz"))
    assert await verified(project, archiver) == root


async def test_one_run_does_not_keep_the_next_one_away(project: Project, archiver: Archiver) -> None:
    """The lock is given back, not left to whenever PostgreSQL notices that its session has ended."""
    asked = "select pg_try_advisory_lock(%(key)s) and pg_advisory_unlock(%(key)s)"
    async with project.database.connection() as other:
        for _ in range(100):
            async with archiver._alone():
                pass
            assert await (await other.execute(asked, {"key": archives.LOCK})).fetchone() == (True,)
