"""The server finishes what it has begun, and processes that die are started again."""

import asyncio
import gc
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientSession, web

from cli.serving import children
from cli.serving.children import Child
from cli.serving.http import serve
from domain.settings import ServerSettings


@asynccontextmanager
async def served(
    app: web.Application, port: int = 0, timeout: int = 5000
) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A server of the app on a shared port, its address, and the event that stops it."""
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    settings = ServerSettings(HOST="127.0.0.1", PORT=port, SERVER_SHUTDOWN_TIMEOUT=timeout)
    async with asyncio.TaskGroup() as group:
        group.create_task(serve(app, settings, stop, share_port=True, ready=listening.set_result))
        yield f"http://127.0.0.1:{await listening}", stop
        stop.set()


def slow_app(begun: asyncio.Event, go_on: asyncio.Event) -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        begun.set()
        await go_on.wait()
        return web.Response(text="finished")

    app = web.Application()
    app.router.add_get("/", answer)
    return app


async def test_a_stop_finishes_running_requests_and_accepts_no_new_ones() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    async with served(slow_app(begun, go_on)) as (url, stop), ClientSession() as client:
        running = asyncio.create_task(client.get(url))
        await begun.wait()
        stop.set()
        await asyncio.sleep(0.1)
        async with ClientSession() as another:
            with pytest.raises(ClientConnectionError):
                await another.get(url)
        go_on.set()
        assert await (await running).text() == "finished"


async def test_a_request_that_takes_too_long_is_cut_off() -> None:
    begun, never = asyncio.Event(), asyncio.Event()
    async with served(slow_app(begun, never), timeout=100) as (url, stop), ClientSession() as client:
        running = asyncio.create_task(client.get(url))
        await begun.wait()
        stop.set()
        with pytest.raises(ClientConnectionError):
            await running


async def test_what_clients_send_that_can_not_be_read_is_no_error_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    async with served(web.Application()) as (url, _), ClientSession() as client:
        for encoding in ("br", "deflate"):
            try:
                await client.post(url, data=b"no such thing", headers={"Content-Encoding": encoding})
            except ClientConnectionError:
                # The answer may be lost with the connection.
                continue
    lines = [record for record in caplog.records if record.name in ("acta.http", "aiohttp.server")]
    assert [(line.name, line.levelname) for line in lines] == [("acta.http", "INFO")] * 2


async def test_what_start_up_made_is_not_looked_through_as_garbage() -> None:
    before = gc.get_threshold()
    async with served(web.Application()):
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold() > before
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, before)


async def test_several_servers_share_a_port() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    async with served(slow_app(begun, go_on)) as (url, _):
        port = int(url.rsplit(":", 1)[1])
        async with served(slow_app(begun, go_on), port) as (second, _):
            assert second == url


def child(folder: Path, code: str) -> Child:
    (folder / "role.py").write_text(textwrap.dedent(code))
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return Child("the role", "role", environment)


async def started(role: Child, times: int) -> asyncio.subprocess.Process:
    """Wait until the role has been started so many times."""
    while role.starts < times or role.process is None or role.process.returncode is not None:
        await asyncio.sleep(0.01)
    return role.process


async def test_a_killed_process_is_started_again_until_the_stop(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    role, stop = child(tmp_path, "import time; time.sleep(600)"), asyncio.Event()
    keeping = asyncio.create_task(role.keep_running(stop, 5))
    first = await started(role, 1)
    first.kill()
    second = await started(role, 2)
    assert second.pid != first.pid
    stop.set()
    assert await keeping == 0
    assert second.returncode == -signal.SIGTERM
    assert "the role ended (signal 9); starting it again" in capfd.readouterr().err


async def test_a_process_that_can_not_start_ends_everything_with_its_code(tmp_path: Path) -> None:
    role = child(tmp_path, "import sys; sys.exit(2)")
    assert await role.keep_running(asyncio.Event(), 5) == 2
    assert role.starts == 1


async def test_a_process_that_will_not_stop_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(children, "KILL_GRACE_SECONDS", 0.0)
    ready = tmp_path / "ready"
    role = child(
        tmp_path,
        f"""
        import signal, time, pathlib
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path({str(ready)!r}).touch()
        time.sleep(600)
        """,
    )
    stop = asyncio.Event()
    keeping = asyncio.create_task(role.keep_running(stop, 0.1))
    while not ready.exists():
        await asyncio.sleep(0.01)
    stop.set()
    assert await keeping == 0
    assert "doesn't stop; killing it" in capfd.readouterr().err


async def test_children_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    child(tmp_path, "import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    supervisor = textwrap.dedent(
        """
        import asyncio, os
        from cli.serving.children import Child
        asyncio.run(Child("the role", "role", os.environ).keep_running(asyncio.Event(), 5))
        """
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        supervisor,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    process.kill()
    # The pipe ends when nobody, the grandchild included, holds it any more.
    assert await asyncio.wait_for(process.stdout.read(), 60) == b""
    await process.wait()
