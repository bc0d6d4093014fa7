"""How fast this machine is just now: bounds of time in tests are multiples of a piece of work, not seconds.

What the product promises in seconds is measured in `bench/`, on a machine that is named there. A test only
has to notice that something became slower by its own fault, on any machine and beside anything else.
"""

import time

OBJECTS = 60_000


def piece() -> float:
    """Seconds that a fixed piece of work takes here and now: small objects, as in much of the product."""
    start = time.perf_counter()
    made = [
        {"name": f"f{number}", "kind": [number, str(number)], "more": {"number": number}}
        for number in range(OBJECTS)
    ]
    by_name = {each["name"]: each for each in made}
    assert len(by_name) == OBJECTS
    return time.perf_counter() - start


class Pace:
    """Pieces of work done beside what is measured: call `look` around the tries."""

    def __init__(self) -> None:
        self.pieces: list[float] = []

    def look(self) -> None:
        self.pieces.append(piece())

    def pieces_in(self, seconds: list[float]) -> float:
        """The best of some tries, as so many pieces of work at their best."""
        return min(seconds) / min(self.pieces)
