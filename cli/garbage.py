"""How often a process looks for garbage: seldom, for what it makes lives as long as a request or a batch."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

REQUESTS = (10_000, 20, 50)
BATCHES = (100_000, 50, 100)
"""Of the worker: thousands of events at once, each of a dozen objects, none of them in a circle."""


@contextmanager
def sparing_what_stays(threshold: tuple[int, int, int]) -> Iterator[None]:
    """What start-up made is no garbage and is not looked through again.

    The rest is looked through less often than by default: a large request makes tens of thousands of objects
    that live as long as it does.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*threshold)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
