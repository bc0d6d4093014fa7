"""One letter to the mail server: through SMTP, or through the machine's sendmail."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import aiosmtplib

from domain.settings import MailSettings

TIMEOUT_SECONDS = 30.0
VERIFY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent; ``sender_name`` goes before the address of the settings."""

    to: Sequence[str]
    subject: str
    html: str
    sender_name: str = ""


class NotSent(Exception):
    """The server did not take a letter. ``lasting`` tells that it would not do so later either."""

    def __init__(self, reason: str, *, lasting: bool) -> None:
        super().__init__(reason)
        self.lasting = lasting


async def send(settings: MailSettings, letter: Letter) -> None:
    """Hand a letter over.

    Raises:
        NotSent
    """
    try:
        message = _message(settings, letter)
    except ValueError as error:
        raise NotSent(f"not a letter: {error}", lasting=True) from error
    if settings.transport == "sendmail":
        await _through_program(settings, message)
    else:
        await _through_smtp(settings, message)


async def verify(settings: MailSettings) -> None:
    """Whether the server would take letters; a program is believed.

    Raises:
        NotSent
    """
    if settings.transport == "sendmail":
        return
    client = _client(settings, VERIFY_SECONDS)
    try:
        async with client:
            await client.noop()
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise NotSent(f"{type(error).__name__}: {error}", lasting=False) from error


def _client(settings: MailSettings, seconds: float) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port,
        username=settings.user,
        password=settings.password.get_secret_value() if settings.password else None,
        use_tls=settings.secure,
        start_tls=False if settings.secure or settings.ignore_tls else None,
        local_hostname=settings.name,
        timeout=seconds,
    )


def _message(settings: MailSettings, letter: Letter) -> EmailMessage:
    message = EmailMessage()
    message["From"] = Address(letter.sender_name, addr_spec=settings.sender)
    message["To"] = ", ".join(letter.to)
    # A subject made of user input must not begin another header.
    message["Subject"] = " ".join(letter.subject.split())
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=settings.sender.partition("@")[2] or None)
    message.set_content(letter.html, subtype="html", charset="utf-8")
    return message


async def _through_smtp(settings: MailSettings, message: EmailMessage) -> None:
    try:
        async with _client(settings, TIMEOUT_SECONDS) as client:
            await client.send_message(message)
    except (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused) as error:
        code = error.code if isinstance(error, aiosmtplib.SMTPResponseException) else 550
        raise NotSent(f"{type(error).__name__} {code}", lasting=code >= 500) from error
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise NotSent(f"{type(error).__name__}: {error}", lasting=False) from error


async def _through_program(settings: MailSettings, message: EmailMessage) -> None:
    try:
        process = await asyncio.create_subprocess_exec(
            settings.sendmail, "-i", "-t", stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL
        )
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await process.communicate(message.as_bytes())
    except OSError as error:
        raise NotSent(f"{settings.sendmail}: {error.strerror}", lasting=True) from error
    except TimeoutError as error:
        process.kill()
        raise NotSent(f"{settings.sendmail} does not end", lasting=False) from error
    if process.returncode:
        raise NotSent(f"{settings.sendmail} ended with {process.returncode}", lasting=False)
