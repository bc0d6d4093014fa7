"""Signatures, pauses and filters by themselves."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Standard

from domain.webhooks.model import Webhook
from domain.webhooks.retrying import JITTER, LONGEST_SECONDS, Retrying
from domain.webhooks.signing import key_of, message_headers


@given(st.binary(min_size=1, max_size=64), st.text(), st.booleans())
def test_signatures_are_the_standards(key: bytes, text: str, prefixed: bool) -> None:
    import base64

    secret = ("whsec_" if prefixed else "") + base64.b64encode(key).decode()
    now = int(datetime.now(UTC).timestamp())
    headers = message_headers("msg_1", now, text.encode(), secret)
    Standard(secret).verify(text.encode(), headers, json_parse=False)
    assert key_of(secret.rstrip("=")) == key


def test_without_a_secret_nothing_is_signed() -> None:
    assert message_headers("m", 5, b"", None) == {"webhook-id": "m", "webhook-timestamp": "5"}
    with pytest.raises(ValueError, match="base64"):
        message_headers("m", 5, b"", "ü")


def test_pauses_double_up_to_a_day() -> None:
    retrying = Retrying(first=5, most=20)
    for failures in range(1, 20):
        plain = min(LONGEST_SECONDS, 5 * 2 ** (failures - 1))
        pauses = {retrying.pause(failures) or 0 for _ in range(50)}
        assert all(plain * (1 - JITTER) <= pause <= plain for pause in pauses)
        assert len(pauses) > 1
    assert retrying.pause(20) is None
    assert retrying.pause(1, 1000) == 1000
    assert retrying.pause(1, 10**9) == LONGEST_SECONDS


def test_standing_counts_by_the_event() -> None:
    webhook = Webhook(1, frozenset(), frozenset(), None, [(5, True), (9, False), (12, True)])
    assert [seq for seq in range(15) if webhook.was_active(seq)] == [6, 7, 8, 9, 13, 14]


@pytest.mark.parametrize(
    ("rule", "passes"),
    [
        ({"a": {"_eq": 1}}, True),
        ({"a": {"_eq": 2}}, False),
        # What is missing is null, not anything one likes.
        ({"b": {"_eq": 1}}, False),
        ({"b": {"_null": True}}, True),
        ({"_or": [{"b": {"_eq": 1}}, {"a": {"_gt": 0}}]}, True),
        ({"_and": [{"_or": [{"c": {"_nnull": True}}]}]}, False),
        ({"year(at)": {"_eq": 2026}}, True),
        ({"at": {"_lt": "$NOW"}}, False),
    ],
)
def test_filters(rule: dict[str, object], passes: bool) -> None:
    state = {"a": 1, "at": "2026-02-03T00:00:00Z", "later": None}
    if "at" in rule:
        state["at"] = "9999-01-01T00:00:00Z"
    assert Webhook(1, frozenset(), frozenset(), rule).passes(state) is passes
