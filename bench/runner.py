"""Runs the cases: both servers on equal data, answers compared first, then interleaved rounds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import limit, load, reference
from bench.cases import Case
from bench.check import DifferentAnswersError, NotThereError, check
from bench.databases import Databases
from bench.registration import register
from bench.results import Result
from bench.servers import Server, acta_server, reference_server

SIDES = ("reference", "acta", "limit")
_MEMORY_GOAL = 2
_START_GOAL = 2.0


@dataclass(frozen=True)
class Options:
    """What to run, how long, and where."""

    cases: tuple[Case, ...]
    sides: tuple[str, ...]
    seconds: float
    rounds: int
    work: Path
    postgres: str
    acta_url: str | None


@dataclass
class Run:
    """One run of the benchmark; `say` shows progress."""

    options: Options
    say: Callable[[str], None]
    _servers: list[Server] = field(default_factory=list)
    _limit_database: str | None = None

    def __call__(self) -> list[Result]:
        """Everything, from fresh databases to results."""
        try:
            self._prepare()
            started = self._starts()
            results = [self._case(case) for case in self.options.cases]
            return [*results, self._memory(), started]
        finally:
            for server in self._servers:
                server.stop()

    def _prepare(self) -> None:
        options = self.options
        databases = Databases(options.postgres)
        extra = tuple(dict.fromkeys(case.extra_tables for case in options.cases if case.extra_tables))
        for side in options.sides:
            if side == "acta" and options.acta_url:
                self._servers.append(Server("acta", options.acta_url.rstrip("/")))
                continue
            self.say(f"{side}: loading the data")
            databases.prepare(side, options.cases)
            if side == "limit":
                self._limit_database = databases.url(side)
            else:
                self._servers.append(self._server(side, databases.url(side)))
        for server in self._servers:
            self.say(f"{server.side}: starting, registering collections and relations")
            server.start()
            register(server.url, extra)

    def _server(self, side: str, database: str) -> Server:
        options = self.options
        if side == "acta":
            return acta_server(database, options.work)
        self.say(f"reference: installing {reference.VERSION} unless it is there (minutes the first time)")
        return reference_server(reference.install(options.work), database, options.work)

    def _starts(self) -> Result:
        result = Result("start to first answer", "s", goal_value=_START_GOAL, less_is_better=True)
        for _ in range(self.options.rounds):
            for server in filter(lambda server: server.ours, self._servers):
                server.stop()
                result.add(server.side, server.start())
        return result

    def _memory(self) -> Result:
        result = Result("memory after the run", "MB", goal_reference=_MEMORY_GOAL, less_is_better=True)
        for server in filter(lambda server: server.ours, self._servers):
            result.add(server.side, server.memory())
        return result

    def _case(self, case: Case) -> Result:
        result = Result(case.title, case.unit, case.goal_reference, case.goal_limit)
        servers = list(self._servers)
        try:
            servers = self._able(case, result)
            check(case, servers, self._limit_database)
            self._measure(case, servers, result)
        except (DifferentAnswersError, load.LoadError) as error:
            result.rounds.clear()
            result.note = str(error)
            self.say(f"{case.name}: NOT MEASURED, {error}")
        return result

    def _able(self, case: Case, result: Result) -> list[Server]:
        """The servers that have what the case asks for; the others are skipped with a note."""
        able = []
        for server in self._servers:
            try:
                check(case, [server], None)
            except NotThereError as missing:
                result.note = f"skipped, {missing}"
                self.say(f"{case.name}: {result.note}")
            else:
                able.append(server)
        return able

    def _measure(self, case: Case, servers: list[Server], result: Result) -> None:
        options = self.options
        for number in range(options.rounds):
            for server in servers:
                result.add(server.side, load.rate(case, server.url, options.seconds, options.work))
            if self._limit_database and case.limit:
                result.add("limit", limit.rate(case, case.limit, self._limit_database, options.seconds))
            latest = ", ".join(f"{side} {values[-1]:,.0f}" for side, values in result.rounds.items())
            self.say(f"{case.name} {number + 1}/{options.rounds}: {latest} {case.unit}")
