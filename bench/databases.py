"""The databases: one template with the rows and a copy of it for each side, so all start from equal pages."""

import hashlib
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from bench.cases import CASES, Case

SQL = Path(__file__).parent / "sql"
_DATA = SQL / "data"
_TEMPLATE = "acta_bench_template"
_LOADED = ("schema", "rows", "indexes")
_MORE = {"limit": ("constraints", "events"), "postgraphile": ("constraints",)}


class Databases:
    """The benchmark's databases on one PostgreSQL server, `server` being the URL of any database of it."""

    def __init__(self, server: str) -> None:
        self._server = server

    def url(self, side: str) -> str:
        """Where the database of `reference`, `acta` or `limit` is."""
        return self._url(f"acta_bench_{side}")

    def prepare(self, side: str, cases: tuple[Case, ...]) -> None:
        """Replace the side's database by a fresh copy of the data set."""
        self._prepare_template()
        self._create(f"acta_bench_{side}", _TEMPLATE)
        extra = tuple(dict.fromkeys(case.extra_tables for case in cases if case.extra_tables))
        scripts = extra + _MORE.get(side, ())
        self._run_scripts(self.url(side), scripts)
        if side == "limit":
            self._store_batch()
        with psycopg.connect(self.url(side), autocommit=True) as connection:
            connection.execute("vacuum analyze")

    def empty(self, side: str) -> None:
        """Replace the side's database by an empty one."""
        self._create(f"acta_bench_{side}", "template0")

    def version(self) -> str:
        """The server's version as it names itself."""
        with psycopg.connect(self._server) as connection:
            return str(connection.info.server_version // 10000) + f".{connection.info.server_version % 10000}"

    def _prepare_template(self) -> None:
        digest = hashlib.sha256(
            b"".join((_DATA / f"{name}.sql").read_bytes() for name in _LOADED)
        ).hexdigest()
        with psycopg.connect(self._server, autocommit=True) as connection:
            found = connection.execute(
                "select shobj_description(oid, 'pg_database') from pg_database where datname = %s",
                [_TEMPLATE],
            ).fetchone()
        if found is not None and found[0] == digest:
            return
        self._create(_TEMPLATE, "template0")
        self._run_scripts(self._url(_TEMPLATE), _LOADED)
        with psycopg.connect(self._server, autocommit=True) as connection:
            comment = sql.SQL("comment on database {} is {}")
            connection.execute(comment.format(sql.Identifier(_TEMPLATE), sql.Literal(digest)))

    def _create(self, name: str, template: str) -> None:
        drop = sql.SQL("drop database if exists {} with (force)")
        create = sql.SQL("create database {} template {}")
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(drop.format(sql.Identifier(name)))
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))

    def _run_scripts(self, url: str, names: tuple[str, ...]) -> None:
        with psycopg.connect(url) as connection:
            for name in names:
                connection.execute((_DATA / f"{name}.sql").read_bytes())

    def _store_batch(self) -> None:
        body = next(case.body for case in CASES if case.name == "create_many")
        with psycopg.connect(self.url("limit")) as connection:
            connection.execute("insert into limits.batches (body) values (%s)", [body])

    def _url(self, database: str) -> str:
        return urlunsplit(urlsplit(self._server)._replace(path=f"/{database}"))
