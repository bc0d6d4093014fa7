"""A served database for each module, with a mail server and short times."""

import os
from collections.abc import AsyncIterator, Iterator

import aiohttp
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.http import Client, client
from tests.support.server import Server, free_port, start
from tests.support.smtp import Mailbox, mailbox

TABLES = """
create table notes (id serial primary key, title text, secret text);
create table parts (id serial primary key, name text, note integer references notes);
insert into notes (title, secret) values ('first', 'one'), ('second', 'two');
insert into parts (name, note) values ('a', 1), ('b', 2);
"""


@pytest.fixture(scope="module")
def mail() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


@pytest.fixture(scope="module")
def extra() -> dict[str, str]:
    """Further settings of the module's server."""
    return {}


@pytest.fixture(scope="module")
def served_url(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"acta_access_{os.getpid()}_{request.module.__name__.rpartition('.')[2]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        url = make_conninfo(postgres_url, dbname=name)
        with psycopg.connect(url) as own:
            own.execute(TABLES)
        try:
            yield url
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(served_url: str, port: int, mail: Mailbox, extra: dict[str, str]) -> Iterator[Server]:
    settings = {
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "EMAIL_TRANSPORT": "smtp",
        "EMAIL_SMTP_HOST": "127.0.0.1",
        "EMAIL_SMTP_PORT": str(mail.port),
        "EMAIL_FROM": "acta@example.com",
        "LOGIN_STALL_TIME": "10",
        "REGISTER_STALL_TIME": "10",
        "PASSWORD_RESET_URL_ALLOW_LIST": "https://app.example.com/reset",
        "SESSION_REFRESH_GRACE_PERIOD": "60000",
        "RATE_LIMITER_REGISTRATION_POINTS": "40",
        **extra,
    }
    running = start(served_url, "--no-followers", port=port, extra=settings)
    try:
        yield running
    finally:
        assert running.stop() == 0


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Client]:
    """The administrator."""
    async with client(server) as found:
        yield found


@pytest.fixture
async def anonymous(server: Server) -> AsyncIterator[Client]:
    async with client(server, None) as found:
        yield found


@pytest.fixture
async def browser(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    """Keeps cookies, follows nothing by itself."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(server.url, cookie_jar=jar) as session:
        yield session
