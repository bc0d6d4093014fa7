"""How much mail is sent, in which order, and what is told of a mail server that is not there."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from domain.errors import EmailLimitExceeded
from domain.settings import LimiterSettings, MailSettings
from projections.access.counters import Count, Memory
from projections.bound import Bound, binding, bound
from projections.database import Connection
from services.flows.world import World
from services.mail.limits import MailLimits
from services.mail.post import Post
from services.mail.templates import as_html, render
from services.web.guarded import GuardedClient
from tests.support.server import free_port
from tests.support.smtp import Mailbox


async def defaults() -> Mapping[str, object]:
    return {"projectName": "Tests"}


@asynccontextmanager
async def post(port: int, **limits: object) -> AsyncIterator[Post]:
    settings = MailSettings(EMAIL_TRANSPORT="smtp", EMAIL_SMTP_HOST="127.0.0.1", EMAIL_SMTP_PORT=port)
    found = Post(settings, defaults, MailLimits(LimiterSettings.model_validate(limits), Memory()))
    try:
        yield found
    finally:
        await found.close()


async def test_letters_wait_for_their_turn(mail: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    limits = {
        "RATE_LIMITER_EMAIL_ENABLED": True,
        "RATE_LIMITER_EMAIL_POINTS": 2,
        "RATE_LIMITER_EMAIL_DURATION": 1,
        "RATE_LIMITER_EMAIL_QUEUE_SIZE": 4,
    }
    began = time.monotonic()
    async with post(mail.port, **limits) as letters:
        taken = [letters.letter(f"{number}@example.com", "s", "base", {}) for number in range(6)]
        assert taken == [True] * 4 + [False] * 2
        assert "dropped" in caplog.text
        for number in range(4):
            await mail.letter(f"{number}@example.com")
            if number > 1:
                assert time.monotonic() - began > 0.9, number
        assert letters.letter("5@example.com", "s", "base", {})
    await mail.letter("5@example.com")


async def test_each_flow_has_its_budget(mail: Mailbox) -> None:
    limits = {
        "RATE_LIMITER_EMAIL_FLOWS_ENABLED": True,
        "RATE_LIMITER_EMAIL_FLOWS_ERROR_MESSAGE": "Ask the administrator.",
    }
    async with post(mail.port, **limits) as letters:
        world = World(GuardedClient(()), letters)
        message = {"to": "a@example.com", "subject": "s", "body": "b"}
        await world.mail(message, "one")
        with pytest.raises(EmailLimitExceeded) as refused:
            await world.mail(message, "one")
        await world.mail(message, "two")
    entry = refused.value.entry()
    assert entry["message"] == "Email sending limit exceeded. Ask the administrator."
    extensions = {"points": 1, "duration": 60, "message": "Ask the administrator."}
    assert entry["extensions"] == {**extensions, "code": "EMAIL_LIMIT_EXCEEDED"}
    for _ in range(2):
        await mail.letter("a@example.com")


async def test_no_transaction_sends_letters(mail: Mailbox) -> None:
    """A filter flow writes one inside the transaction of a write; it is counted and sent by itself."""
    places: list[Bound | None] = []

    async def looking() -> Mapping[str, object]:
        places.append(bound())
        return await defaults()

    class Looking(Memory):
        async def count(self, name: str, seconds: float | None) -> Count:
            places.append(bound())
            return await super().count(name, seconds)

    limits = LimiterSettings(RATE_LIMITER_EMAIL_ENABLED=True)
    settings = MailSettings(EMAIL_TRANSPORT="smtp", EMAIL_SMTP_HOST="127.0.0.1", EMAIL_SMTP_PORT=mail.port)
    letters = Post(settings, looking, MailLimits(limits, Looking()))
    with binding(cast("Connection", None)):
        assert bound() is not None
        assert letters.letter("bound@example.com", "s", "base", {})
        await mail.letter("bound@example.com")
    await letters.close()
    assert places == [None, None]


async def test_a_server_that_is_not_there_is_told_of(mail: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    async with post(mail.port) as letters:
        assert await letters.trouble() is None
    async with post(port := free_port()) as letters:
        with caplog.at_level(logging.WARNING):
            await letters.check()
        assert "mail can't be sent" in caplog.text
        # What was seen is remembered: nobody is asked again.
        asked: list[object] = []
        async with await asyncio.start_server(lambda *_: asked.append(_), "127.0.0.1", port):
            assert "SMTPConnectError" in str(await letters.trouble())
        assert asked == []


def test_what_a_project_has_not_is_left_out() -> None:
    """An empty text is true in Liquid, and no picture and no link in a letter."""
    empty = dict.fromkeys(("projectLogo", "projectUrl", "url", "first_name"), "")
    text = render("base", "nowhere", {**empty, "projectName": "Tests", "html": "x"})
    assert "Tests" in text
    assert "<img" not in text
    assert "<a " not in text
    url = "https://cms.example.com/a.png"
    given = render("base", "nowhere", {**empty, "projectLogo": url, "projectUrl": url, "html": "x"})
    assert given.count(url) == 2
    assert "Hello" not in render("user-registration", "nowhere", {**empty, "email": "a@example.com"})


async def test_a_filter_changes_and_cancels_letters(mail: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    asked: list[Any] = []

    async def filter_(letter: Mapping[str, Any]) -> Any:
        asked.append(letter)
        match letter["subject"]:
            case "change":
                page = {
                    "name": "base",
                    "data": {**letter["template"]["data"], "url": "https://example.com/x"},
                }
                return {**letter, "to": ["other@example.com"], "subject": "changed", "template": page}
            case "own":
                return {**letter, "html": "<p>mine</p>"}
            case "fail":
                raise RuntimeError("never mind")
        return None

    async with post(mail.port) as letters:
        letters.filter = filter_
        for subject in ("fail", "cancel", "change", "own"):
            letters.letter("reader@example.com", subject, "base", {"html": as_html("<b>x</b>")})
        changed = await mail.letter("other@example.com")
        own = await mail.letter("reader@example.com")
    assert (changed["Subject"], own["Subject"]) == ("changed", "own")
    assert "<b>x</b>" in changed.get_content()
    assert "https://example.com/x" in changed.get_content()
    assert own.get_content().strip() == "<p>mine</p>"
    assert [letter["subject"] for letter in asked] == ["fail", "cancel", "change", "own"]
    assert "cancelled by a filter" in caplog.text
    assert "never mind" in caplog.text
    assert not mail.letters
