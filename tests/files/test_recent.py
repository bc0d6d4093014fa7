"""Variants in memory: bounded, the oldest given up first."""

from services.files.recent import Recent


def test_the_least_recently_used_goes_first() -> None:
    recent = Recent(640)
    for number in range(64):
        recent.put("local", str(number), b"x" * 10)
    assert recent.get("local", "0") == b"x" * 10
    recent.put("local", "new", b"x" * 10)
    assert recent.get("local", "1") is None
    assert recent.get("local", "0") is not None
    recent.put("local", "large", b"x" * 11)
    assert recent.get("local", "large") is None
    assert recent.get("other", "0") is None
