"""What was measured, its medians and ratios, and whether a goal was met."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass
class Result:
    """The rounds of one case on each side; `note` says why a side has none."""

    title: str
    unit: str
    goal_reference: float | None = None
    goal_limit: float | None = None
    goal_value: float | None = None
    less_is_better: bool = False
    rounds: dict[str, list[float]] = field(default_factory=dict)
    note: str = ""

    def add(self, side: str, value: float) -> None:
        """Record one round."""
        self.rounds.setdefault(side, []).append(value)

    def median(self, side: str) -> float | None:
        """The median of a side's rounds, None when it has none."""
        values = self.rounds.get(side)
        return median(values) if values else None

    @property
    def against_reference(self) -> float | None:
        """How many times better Acta is than the reference."""
        ratio = _ratio(self.median("acta"), self.median("reference"))
        return 1 / ratio if ratio and self.less_is_better else ratio

    @property
    def against_limit(self) -> float | None:
        """The share of the limit Acta reaches."""
        return _ratio(self.median("acta"), self.median("limit"))

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or a dash where there is no goal or no number."""
        checks = [
            (self.against_reference, self.goal_reference, False),
            (self.against_limit, self.goal_limit, False),
            (self.median("acta"), self.goal_value, self.less_is_better),
        ]
        judged = [
            value <= goal if downwards else value >= goal
            for value, goal, downwards in checks
            if value is not None and goal is not None
        ]
        return "-" if not judged else "met" if all(judged) else "missed"


def late(delays: Sequence[float], part: float) -> float:
    """The delay, in milliseconds of seconds given, that this part of all does not exceed."""
    ordered = sorted(delays)
    return 1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def lateness(delays: Sequence[float], *parts: float) -> str:
    """Such delays for people."""
    return ", ".join(f"p{100 * part:g} {late(delays, part):.0f} ms" for part in parts)


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None
