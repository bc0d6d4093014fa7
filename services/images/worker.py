"""One image process: `python -m services.images.worker BYTES`. A JSON job a line in, its outcome a line out.

It ends with its standard input. BYTES limits the address space that decoding may take beyond what the process
starts with, so a hostile image ends this process and nothing else.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Any

# One image a processor: the pool runs as many processes as there are.
os.environ.setdefault("VIPS_CONCURRENCY", "1")

import orjson
import pyvips

from services.images.loading import BadImage
from services.images.media import probe
from services.images.metadata import inspect
from services.images.operations import BadOperation
from services.images.transforming import transform

NICENESS = 5
_KINDS = {"transform": transform, "inspect": inspect, "probe": probe}


def main() -> None:
    """Work until the other side closes."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    # What a library prints must not look like an answer.
    os.dup2(2, 1)
    # Loaders for formats with a record of holes stay shut, whatever a file claims to be.
    pyvips.block_untrusted_set(True)
    pyvips.cache_set_max(0)
    # Whoever waits for anything but an image comes first.
    os.nice(NICENESS)
    _limit_memory(int(sys.argv[1]))
    for line in sys.stdin.buffer:
        answers.write(orjson.dumps(_outcome(orjson.loads(line)), default=str) + b"\n")


def _outcome(job: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"ok": _KINDS[job["kind"]](job)}
    except BadOperation as error:
        return {"operation": str(error)}
    except (BadImage, pyvips.Error, MemoryError) as error:
        return {"bad": str(error).strip()[:500] or type(error).__name__}


def _limit_memory(extra: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + extra
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
