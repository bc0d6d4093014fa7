"""The ``exec`` operation: JavaScript in an engine without any door, in a process of its own.

A script that runs too long or wants too much memory costs that process, never ours.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping
from typing import Any, Final

import orjson

from domain.flows.running import Rejected

log = logging.getLogger("acta.flows")
# What starting the process and the engine takes at most, before the script's own time.
START_SECONDS: Final = 10.0
LONGEST_ANSWER: Final = 16 * 1024 * 1024


async def run_script(
    code: str, data: Any, environment: Mapping[str, Any], seconds: float, memory: int
) -> Any:
    """What the script's exported function returns for the data. ``memory`` in bytes.

    Raises:
        Rejected: with what the script threw, or with why it was ended.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-m", "projections.flows.script_process",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        limit=LONGEST_ANSWER,
    )  # fmt: skip
    order = {"code": code, "data": data, "env": dict(environment), "seconds": seconds, "memory": memory}
    try:
        async with asyncio.timeout(START_SECONDS + seconds):
            answer, _ = await process.communicate(orjson.dumps(order, default=str))
    except TimeoutError:
        raise Rejected({"name": "Error", "message": "The script ran too long"}) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        found = orjson.loads(answer)
    except orjson.JSONDecodeError:
        raise Rejected({"name": "Error", "message": "The script wanted too much memory"}) from None
    for line in found.get("log", ()):
        log.info("script: %s", line)
    if "thrown" in found:
        raise Rejected(_value(found["thrown"]))
    return found.get("value")


def _value(thrown: Any) -> Any:
    """What was thrown; a text that is JSON stands for its value."""
    if not isinstance(thrown, str):
        return thrown
    try:
        return orjson.loads(thrown)
    except orjson.JSONDecodeError:
        return thrown
