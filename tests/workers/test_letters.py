"""Letters that the worker writes: whatever it finds to do when it starts, filters see them first."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from domain.access.caller import Caller
from domain.access.command import Command
from domain.access.rights import ADMINISTRATOR
from domain.errors import ServiceUnavailable
from domain.model import Model
from domain.query.limits import QueryLimits
from domain.settings import Settings
from projections.database import Database
from projections.prepare import prepare
from projections.reading.reader import Reader
from projections.tables.item_writer import ItemWriter
from projections.tables.store import ModelStore
from services.extensions.loading import Extensions
from services.mail.wiring import post_of
from tests.support.smtp import mailbox
from tests.support.writing import USER, Bench
from workers import main
from workers.flows.letters import Outbox


async def test_no_letter_passes_a_filter_by(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notification came while no worker ran, and reading the model takes the next one long."""
    extensions, opened = Extensions(), ModelStore.open

    async def mark(letter: Any, meta: Mapping[str, Any], caller: Caller | None) -> Any:
        return {**letter, "subject": f"seen: {letter['subject']}"}

    async def slowly(*arguments: Any, **options: Any) -> ModelStore:
        found = await opened(*arguments, **options)
        await asyncio.sleep(1)
        return found

    extensions.hooks.add_filter("email.send", mark)
    with mailbox() as box:
        settings = Settings.parse({"DATABASE_URL": database_url, **box.settings})
        await until(settings, database_url, "select 1 from acta.cursors where name = 'notifications'")
        async with await Database.open(database_url) as database:
            writer = ItemWriter(database, Reader(database, QueryLimits()), settings)
            command = Command(Caller(user=USER, admin=True), ADMINISTRATOR, uuid4())
            bench = Bench(database, writer, Model(0, {}), command)
            await bench.reload()
            reader = {"id": str(USER), "email": "reader@example.com", "email_notifications": True}
            await bench.create("directus_users", reader)
            await bench.create("directus_notifications", {"recipient": str(USER), "subject": "news"})
        monkeypatch.setattr(ModelStore, "open", slowly)
        monkeypatch.setattr(main, "load", lambda _: extensions)
        stop = asyncio.Event()
        working = asyncio.create_task(main.run(settings, stop))
        letter = await box.letter("reader@example.com")
        stop.set()
        await working
    assert letter["Subject"] == "seen: news"


async def test_a_letter_that_has_to_wait_holds_up_no_other(database_url: str) -> None:
    """A filter can't tell for now what becomes of one; the others are sent, once."""

    async def unsure(letter: Mapping[str, Any]) -> Any:
        if letter["to"] == "waiting@example.com":
            raise ServiceUnavailable("elsewhere", "not now")
        await asyncio.sleep(0.1)
        return letter

    with mailbox() as box:
        settings = Settings.parse({"DATABASE_URL": database_url, **box.settings})
        async with await Database.open(database_url) as database, post_of(settings, database) as post:
            await prepare(database)
            post.filter = unsure
            outbox = Outbox(database, post)
            for name in ("waiting", "first", "second"):
                await outbox.take(f"{name}@example.com", name, "base", {"html": "x"})
            sending = asyncio.create_task(outbox.run(lambda: True))
            for name in ("first", "second"):
                await box.letter(f"{name}@example.com")
            async with asyncio.timeout(40):
                while (left := await waiting(database)) != [("waiting@example.com", True)]:
                    await asyncio.sleep(0.05)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        assert left
        assert box.letters == []


async def waiting(database: Database) -> list[Any]:
    """Whose letters are still to be sent, and whether that was tried."""
    async with database.connection() as connection:
        cursor = await connection.execute("select reader, attempts > 0 from acta.flow_letters order by id")
        return await cursor.fetchall()


async def until(settings: Settings, database_url: str, statement: str) -> None:
    """Run a worker until a statement finds something."""
    stop = asyncio.Event()
    working = asyncio.create_task(main.run(settings, stop))
    async with await Database.open(database_url) as database:
        async with asyncio.timeout(60):
            while True:
                async with database.connection() as connection:
                    cursor = await connection.execute("select to_regclass('acta.cursors')")
                    row = await cursor.fetchone()
                    if row and row[0] and await (await connection.execute(statement.encode())).fetchone():
                        break
                await asyncio.sleep(0.05)
    stop.set()
    await working
