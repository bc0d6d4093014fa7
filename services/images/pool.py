"""A pool of image processes: a bounded queue, a time limit on each job, a new process for a dead one."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from domain.errors import IllegalAssetTransformation, InvalidQuery, ServiceUnavailable
from domain.settings_files import AssetsSettings

log = logging.getLogger("acta.images")
# An image's own text may get into an answer.
_LONGEST_ANSWER = 16 * 1024 * 1024
Job = Mapping[str, Any]


class Undecodable(Exception):
    """The file is no image that can be read; the text is for the log."""


class TooSlow(ServiceUnavailable):
    """A transformation took longer than it may."""

    def __init__(self) -> None:
        super().__init__("assets", "Transformation timed out", retry_after=5)


@dataclass
class ImagePool:
    """Processes are started when first needed. Made by the constructor, ended by `close`."""

    settings: AssetsSettings
    _idle: asyncio.LifoQueue[asyncio.subprocess.Process | None] = field(init=False)
    _running: set[asyncio.subprocess.Process] = field(default_factory=set)
    _transforms: int = 0

    def __post_init__(self) -> None:
        self._idle = asyncio.LifoQueue()
        for _ in range(self.settings.processes or os.cpu_count() or 1):
            self._idle.put_nowait(None)

    async def transform(self, job: Job) -> dict[str, Any]:
        """Make a variant; the job as `services.images.transforming.transform` takes it.

        Raises:
            ServiceUnavailable: when the queue is full, or the job takes too long.
            IllegalAssetTransformation: for what can't be decoded.
            InvalidQuery: for arguments of a method in ``transforms`` that it can't be called with.
        """
        if self._transforms >= self.settings.max_concurrent:
            raise ServiceUnavailable("files", "Server too busy", retry_after=2)
        self._transforms += 1
        try:
            return await self._run({"kind": "transform", **job})
        except Undecodable as error:
            log.info("an image can't be transformed: %s", error)
            raise IllegalAssetTransformation(["transforms"]) from error
        finally:
            self._transforms -= 1

    async def inspect(self, source: str) -> dict[str, Any] | None:
        """Size and metadata of an image, None for what is none."""
        return await self._look({"kind": "inspect", "source": source, "pixels": 2**40})

    async def probe(self, source: str) -> dict[str, Any] | None:
        """The duration of sound or moving pictures, None for what is neither."""
        return await self._look({"kind": "probe", "source": source})

    async def _look(self, job: Job) -> dict[str, Any] | None:
        try:
            return await self._run(job)
        except (Undecodable, ServiceUnavailable) as error:
            log.info("a file can't be inspected: %s", error)
            return None

    async def close(self) -> None:
        """End all processes, also those at work."""
        for process in [*self._running]:
            await _end(process)
        self._running.clear()

    async def _run(self, job: Job) -> dict[str, Any]:
        process = await self._idle.get()
        usable = False
        try:
            if process is None or process.returncode is not None:
                process = await self._start()
            answer = await asyncio.wait_for(_ask(process, job), self.settings.timeout)
            usable = True
        except TimeoutError:
            raise TooSlow from None
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError) as error:
            raise Undecodable(f"the image process died: {error}") from error
        finally:
            if not usable and process is not None:
                self._running.discard(process)
                await asyncio.shield(_end(process))
            self._idle.put_nowait(process if usable else None)
        if "operation" in answer:
            raise InvalidQuery(f'"transforms" Parameter has wrong arguments for "{answer["operation"]}"')
        if "bad" in answer:
            raise Undecodable(answer["bad"])
        done: dict[str, Any] = answer["ok"]
        return done

    async def _start(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.images.worker",
            str(self.settings.memory),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LONGEST_ANSWER,
        )
        self._running.add(process)
        return process


async def _ask(process: asyncio.subprocess.Process, job: Job) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(orjson.dumps(job) + b"\n")
    await process.stdin.drain()
    line = await process.stdout.readuntil(b"\n")
    answer: dict[str, Any] = orjson.loads(line)
    return answer


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
