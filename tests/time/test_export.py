"""Export and replay, signed checkpoints."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from domain.access.command import Command
from domain.errors import ActaError
from projections.database import Database
from projections.log.redact import redact
from projections.log.verify import verify
from projections.time.export import export_log
from projections.time.replay import Replay
from tests.support.project import Project
from tests.support.server import acta
from tests.time.test_in_place import library
from tests.time.test_into import later_changes, opened, quiet, target_url

__all__ = ["target_url"]


async def test_a_project_is_built_again_from_its_log_alone(
    project: Project, target_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "log.jsonl"
    await project.sql("create table prices (id int primary key, amount numeric, at timestamptz, data jsonb)")
    await project.sql("create type mood as enum ('good')")
    await project.store.refresh()
    await library(project)
    price = {
        "amount": "12345678901234567890.5",
        "at": "2024-01-01T00:00:00.123456Z",
        "data": {"a": None, "b": [1]},
    }
    await project.create("prices", {"id": 1, **price})
    await project.sql(
        "insert into acta.events (seq, topic, collection, item, meta) overriding system value"
        " values (-5, 'past.activity', 'books', '1', '{\"action\": \"create\"}')"
    )
    first = await export_log(project.database, path, ["public"], quiet)
    await later_changes(project)
    await project.now()
    shown = {"name": "redacted 1"}
    await redact(project.database, "authors", "1", ["name"], shown=shown)
    second = await export_log(project.database, path, ["public"], quiet)
    assert second > first
    before, end = await project.everything(), await verify(project.database)
    assert end.finding is None
    async with await Database.open(target_url) as target:
        assert await Replay(path, target, quiet).run() == []
        outcome = await verify(target)
    assert (outcome.position, outcome.root, outcome.finding) == (second, end.root, None)
    # What was erased from the log is not there any more; the live row had it still.
    next(row for row in before["authors"] if row["id"] == 1)["name"] = "redacted 1"
    async with opened(project, target_url) as built:
        after = await built.everything()
        assert sorted(map(str, after.pop("authors"))) == sorted(map(str, before.pop("authors")))
        assert after == before
        assert await built.sql("select count(*) from acta.events where seq < 0") == [(1,)]


async def test_an_export_that_was_cut_off_is_continued(project: Project, tmp_path: Path) -> None:
    await library(project)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    await export_log(project.database, whole, ["public"], quiet)
    content = whole.read_bytes()
    lines = content.splitlines(keepends=True)
    for size in (0, 10, len(content) // 2, len(content) - len(lines[-1]) - 5, len(content)):
        cut.write_bytes(content[:size])
        if size == 10:
            with pytest.raises(ActaError, match="no export"):
                await export_log(project.database, cut, ["public"], quiet)
            continue
        await export_log(project.database, cut, ["public"], quiet)
        told = [line for line in cut.read_bytes().splitlines() if not line.startswith(b'{"request"')]
        assert told == [line for line in content.splitlines() if not line.startswith(b'{"request"')]


async def test_what_is_no_export(project: Project, target_url: str, tmp_path: Path) -> None:
    await library(project)
    path = tmp_path / "x"
    await export_log(project.database, path, ["public"], quiet)
    content = path.read_bytes()
    async with await Database.open(target_url) as target:
        for bad in (b"", b"{}\n", b"nonsense\n", content[: content.index(b'{"structure"')]):
            path.write_bytes(bad)
            with pytest.raises(ActaError):
                await Replay(path, target, quiet).run()
        # A line is missing: what can be proved ends there, and verifying says so.
        lines = content.splitlines(keepends=True)
        event = next(n for n, line in enumerate(lines) if line.startswith(b'{"event"'))
        path.write_bytes(b"".join(lines[:event] + lines[event + 1 :]))
        await Replay(path, target, quiet).run()
        assert (await verify(target)).finding is not None


async def test_checkpoints(project: Project, tmp_path: Path) -> None:
    await library(project)
    await project.now()
    key, file = tmp_path / "key", tmp_path / "checkpoint"
    made = acta(project.url, "seal", "key", str(key))
    public = made.stdout.strip()
    assert key.stat().st_mode & 0o777 == 0o600
    assert acta(project.url, "seal", "key", str(key)).returncode == 1
    file.write_text(acta(project.url, "seal", "export", "--key", str(key)).stdout)
    await project.update("books", 1, {"title": "Later"})
    await project.now()
    assert acta(project.url, "seal", "check", str(file), "--key", public).returncode == 0
    assert acta(project.url, "seal", "check", str(file), "--key", public[:-4] + "AAA=").returncode == 1
    document = orjson.loads(file.read_bytes())
    for change in ({"position": 1}, {"root": "00" * 32}, {"signature": "AAAA"}, {"format": "x"}):
        file.write_bytes(orjson.dumps({**document, **change}))
        done = acta(project.url, "seal", "check", str(file))
        assert done.returncode == 1, change
        assert done.stderr.startswith("acta: "), done.stderr


async def test_a_log_rewritten_to_its_end_does_not_pass_a_checkpoint(
    project: Project, tmp_path: Path
) -> None:
    """Somebody with all rights makes events, seals and roots anew: only what stands outside tells."""
    await library(project)
    await project.now()
    key, file = tmp_path / "key", tmp_path / "checkpoint"
    acta(project.url, "seal", "key", str(key))
    file.write_text(acta(project.url, "seal", "export", "--key", str(key)).stdout)
    async with project.database.transaction() as connection:
        await connection.execute("select set_config('acta.redacting', 'on', true)")
        await connection.execute(
            'update acta.events set payload = payload || \'{"title": "x"}\''
            " where collection = 'books' and item = '1'"
        )
        await connection.execute("truncate acta.seals")
    from projections.log.seal import ensure_epoch

    await ensure_epoch(project.database)
    await project.update("books", 1, {"title": "y"}, Command.internal())
    await project.now()
    assert (await verify(project.database)).finding is None
    done = acta(project.url, "seal", "check", str(file))
    assert done.returncode == 1
    assert "rewritten" in done.stderr
