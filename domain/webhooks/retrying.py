"""When a delivery that failed is tried again, and when it is given up."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

LONGEST_SECONDS: Final = 86_400.0
JITTER: Final = 0.2


@dataclass(frozen=True, slots=True)
class Retrying:
    """``first``: seconds after the first failure; ``most``: attempts until a delivery is dead."""

    first: float
    most: int

    def pause(self, failures: int, asked: float = 0.0) -> float | None:
        """Seconds until the next attempt after so many failures, ``asked`` for by the receiver at least; None
        to give up."""
        if failures >= self.most:
            return None
        doubled = min(LONGEST_SECONDS, self.first * 2.0 ** min(failures - 1, 64))
        # By chance, so that what failed together does not come back together.
        return max(min(asked, LONGEST_SECONDS), doubled * random.uniform(1 - JITTER, 1))
