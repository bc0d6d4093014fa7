"""The command line: `run` measures, `shapes` chooses among ways to write a limit's SQL, `forms` among Acta's,
`takeover` makes a test's database."""

import asyncio
import contextlib
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import limit, report
from bench.cases import CASES, Case, chosen
from bench.check import difference
from bench.databases import Databases
from bench.forms import measure as measure_forms
from bench.forms import slower_choices
from bench.load import LoadError
from bench.reference import MissingToolError, require
from bench.registration import RegistrationError
from bench.results import Result, late, lateness
from bench.runner import SIDES, Options, Run
from bench.servers import ServerError
from bench.takeover.record import record

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
_console = Console(stderr=True, highlight=False)
_PAGE = Path(__file__).parent / "RESULTS.md"

Names = Annotated[
    str, typer.Option("--cases", help=f"Comma list of: {', '.join(case.name for case in CASES)}.")
]
Seconds = Annotated[float, typer.Option(help="Length of one measurement.")]
Rounds = Annotated[int, typer.Option(help="Interleaved rounds; the median counts.")]
Postgres = Annotated[
    str,
    typer.Option(
        "--database", envvar="BENCH_DATABASE_URL", help="Any database of the server to use; we add ours."
    ),
]
_WORK = Path(tempfile.gettempdir(), "acta-bench")
_LATEST_MS = 250
_LOCAL = "postgresql://postgres@127.0.0.1:5432/postgres"


@app.command()
def run(
    names: Names = "",
    sides: Annotated[str, typer.Option(help="Who takes part.")] = ",".join(SIDES),
    seconds: Seconds = 5,
    rounds: Rounds = 3,
    acta_url: Annotated[
        str | None, typer.Option(help="A running Acta on the database `prepare` made.")
    ] = None,
    work: Annotated[Path, typer.Option(help="Where the reference and logs go.")] = _WORK,
    database: Postgres = _LOCAL,
    output: Annotated[
        Path | None, typer.Option(help="The page to write; a full run writes RESULTS.md.")
    ] = None,
) -> None:
    """Measure reference, Acta and limit side by side."""
    cases = _chosen(names)
    taking_part = tuple(side for side in SIDES if side in sides.split(","))
    options = Options(cases, taking_part, seconds, rounds, work, database, acta_url)
    try:
        require("wrk", "pgbench", "psql")
        work.mkdir(parents=True, exist_ok=True)
        results = Run(options, _console.print)()
    except (MissingToolError, ServerError, RegistrationError) as error:
        _console.print(f"[red]{error}")
        raise typer.Exit(2) from error
    target = output or (_PAGE if not names and taking_part == SIDES else None)
    if target is not None:
        command = f"python -m bench {shlex.join(sys.argv[1:])}"
        text = report.page(results, command, Databases(database).version(), rounds, seconds)
        target.write_text(report.with_sections(target, text))
    print(report.table(results))
    if any(result.note and not result.rounds for result in results):
        raise typer.Exit(1)


@app.command()
def prepare(names: Names = "", database: Postgres = _LOCAL) -> None:
    """Make a fresh database for an Acta you start yourself, and print what it is to be started with."""
    databases = Databases(database)
    databases.prepare("acta", _chosen(names))
    print(f"DATABASE_URL={databases.url('acta')}")


@app.command()
def takeover(work: Annotated[Path, typer.Option(help="Where the reference and logs go.")] = _WORK) -> None:
    """Let the reference make the database that the tests take over (`tests/data/directus-11.*`)."""
    work.mkdir(parents=True, exist_ok=True)
    record(work)


@app.command()
def files(
    sides: Annotated[str, typer.Option(help="Who takes part.")] = "reference,acta",
    megabytes: Annotated[int, typer.Option(help="Size of the upload.")] = 1024,
    rounds: Rounds = 3,
    work: Annotated[Path, typer.Option(help="Where the reference and logs go.")] = _WORK,
    database: Postgres = _LOCAL,
) -> None:
    """Measure variants from cache, new variants beside plain libvips, and a large upload."""
    from bench.files import measure

    require("wrk")
    work.mkdir(parents=True, exist_ok=True)
    print(report.table(measure(database, work, tuple(sides.split(",")), megabytes, rounds, _console.print)))


@app.command()
def introspection(
    work: Annotated[Path, typer.Option(help="Where the reference and logs go.")] = _WORK,
    database: Postgres = _LOCAL,
) -> None:
    """Compare the GraphQL schemas of reference and Acta for the same model; unexplained differences fail."""
    from bench.introspection import compare

    work.mkdir(parents=True, exist_ok=True)
    found = compare(database, work, _console.print)
    print("\n".join(found) or "no other difference")
    if found:
        raise typer.Exit(1)


@app.command()
def subscribers(
    idle: Annotated[int, typer.Option(help="Subscribers that hear nothing.")] = 2000,
    active: Annotated[int, typer.Option(help="Subscribers that hear of every change.")] = 10,
    events: Annotated[int, typer.Option(help="Changes a second.")] = 100,
    seconds: Seconds = 20,
    work: Annotated[Path, typer.Option(help="Where logs go.")] = _WORK,
    database: Postgres = _LOCAL,
) -> None:
    """Measure how late GraphQL subscribers of one process hear of changes; p99 over 250 ms fails."""
    from bench.subscribers import measure

    work.mkdir(parents=True, exist_ok=True)
    found = asyncio.run(measure(database, work, idle, active, events, seconds, _console.print))
    shown = lateness(found.late, 0.5, 0.95, 0.99, 1)
    print(f"{len(found.late)} deliveries: {shown}")
    if late(found.late, 0.99) > _LATEST_MS:
        raise typer.Exit(1)


@app.command()
def streams(
    events: Annotated[int, typer.Option(help="Events of the backlog.")] = 200_000,
    seconds: Seconds = 10,
    rounds: Rounds = 3,
    work: Annotated[Path, typer.Option(help="Where logs go.")] = _WORK,
) -> None:
    """Measure Kafka from a backlog, how late records are, and writes beside Kafka, webhooks and a flow."""
    from bench.streams import measure
    from bench.time import own_server

    require("wrk")
    work.mkdir(parents=True, exist_ok=True)
    with own_server() as database:
        found = measure(database, work, events, seconds, rounds, _console.print)
    shown = lateness(found.late, 0.5, 0.99, 1)
    print(f"{found.published:.0f} events a second to Kafka; from commit to record {shown}")
    print(f"writes with Kafka, three webhooks and a flow: {100 * found.ratio:.0f} % of those without")


@app.command()
def postgraphile(
    seconds: Seconds = 5,
    rounds: Rounds = 3,
    work: Annotated[Path, typer.Option(help="Where PostGraphile and logs go.")] = _WORK,
    database: Postgres = _LOCAL,
    write: Annotated[bool, typer.Option(help="Put the table into RESULTS.md.")] = False,
) -> None:
    """Measure Acta beside PostGraphile: a nested list and an item by id in GraphQL."""
    from bench.postgraphile import measure, table

    require("wrk")
    work.mkdir(parents=True, exist_ok=True)
    body = table(measure(database, work, seconds, rounds, _console.print))
    print(body)
    if write:
        command = f"python -m bench {shlex.join(sys.argv[1:])}"
        report.put_section(_PAGE, "Beside PostGraphile", command, body)


@app.command("time")
def time_(
    events: Annotated[int, typer.Option(help="Events in the log.")] = 1_000_000,
    items: Annotated[int, typer.Option(help="Items they are of.")] = 100_000,
) -> None:
    """Measure restores, reads as of a moment, verification and the size of the log."""
    from bench import time

    asyncio.run(time.volume(events, items, print))


@app.command()
def model(
    rounds: Rounds = 5,
    seconds: Seconds = 5,
    work: Annotated[Path, typer.Option(help="Where logs go.")] = _WORK,
    write: Annotated[bool, typer.Option("--write", help="Put the results into RESULTS.md.")] = False,
) -> None:
    """Measure a model of 1,000 tables, and the undo of schema changes of 100,000 rows."""
    from bench import model as models

    require("wrk")
    work.mkdir(parents=True, exist_ok=True)
    results = asyncio.run(models.undo(rounds, _console.print))
    results += asyncio.run(models.thousand(rounds, seconds, work, _console.print))
    found = report.table_of_one(results)
    if write:
        report.put_section(_PAGE, "The model", f"python -m bench {shlex.join(sys.argv[1:])}", found)
    print(found)


@app.command()
def size(
    edits: Annotated[int, typer.Option(help="Edits on each side.")] = 100_000,
    work: Annotated[Path, typer.Option(help="Where the reference and logs go.")] = _WORK,
    database: Annotated[
        str | None, typer.Option("--database", help="As of `run`; an embedded one when not given.")
    ] = None,
) -> None:
    """Compare the log's bytes per edit with the reference's activity and revisions."""
    from bench import size as sizes
    from bench.time import own_server

    work.mkdir(parents=True, exist_ok=True)
    with contextlib.nullcontext(database) if database else own_server(tcp=True) as url:
        part = sizes.compare(Databases(url), work, edits, print)
    print(f"{part:.2f} of the reference's")


@app.command()
def life(
    changes: Annotated[int, typer.Option(help="Random changes of items and schema.")] = 10_000,
    moments: Annotated[int, typer.Option(help="Remembered moments.")] = 50,
    seed: Annotated[int, typer.Option(help="The same seed, the same life.")] = 1,
) -> None:
    """Let Chinook live at random and restore each remembered moment, row for row."""
    from bench import time

    asyncio.run(time.life(changes, moments, seed, print))


@app.command()
def shapes(
    names: Names = "nested", seconds: Seconds = 5, rounds: Rounds = 3, database: Postgres = _LOCAL
) -> None:
    """Measure a limit's SQL against its alternatives in `sql/limit`, after comparing their answers."""
    require("pgbench", "psql")
    databases = Databases(database)
    cases = _chosen(names)
    databases.prepare("limit", cases)
    for case in cases:
        result = _shapes(case, databases.url("limit"), seconds, rounds)
        for shape in result.rounds:
            print(f"{shape:<24} {result.median(shape):>10,.0f} {case.unit}")


@app.command()
def forms(seconds: Seconds = 5, database: Postgres = _LOCAL) -> None:
    """Measure the forms in which Acta can write a limit per parent, and whether it chooses the faster one."""
    databases = Databases(database)
    databases.prepare("limit", ())
    found = measure_forms(databases.url("limit"), seconds)
    for one in found:
        rates = "  ".join(f"{name} {rate:>9,.1f}" for name, rate in one.rates.items())
        print(f"{one.title:<50} reads/s: {rates}  chosen: {one.chosen}")
    wrong = slower_choices(found)
    print(f"slower choices: {', '.join(wrong) or 'none'}")
    if wrong:
        raise typer.Exit(1)


def _shapes(case: Case, database: str, seconds: float, rounds: int) -> Result:
    result = Result(case.title, case.unit)
    candidates = limit.shapes(case.limit)
    values = {variable.name: variable.sample(1, 2) for variable in case.variables}
    first, *others = (limit.answer(case, shape, database, values) for shape in candidates)
    for shape, other in zip(candidates[1:], others, strict=True):
        if found := difference(first, other):
            raise LoadError(f"{shape} gives another answer at {found}")
    for _ in range(rounds):
        for shape in candidates:
            result.add(shape, limit.rate(case, shape, database, seconds))
    return result


def _chosen(names: str) -> tuple[Case, ...]:
    try:
        return chosen(names)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
