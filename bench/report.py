"""Writes the results as a Markdown page."""

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.load import CONNECTIONS
from bench.reference import VERSION
from bench.results import Result

_HEAD = "| case | unit | reference | acta | limit | acta / reference | acta / limit | goal | verdict |"
_RULE = "|---|---|--:|--:|--:|--:|--:|---|---|"


def table(results: Sequence[Result]) -> str:
    """The Markdown table of all results, and the notes below it."""
    notes = [f"- {result.title}: {result.note}" for result in results if result.note]
    return "\n".join([_HEAD, _RULE, *map(_row, results), *(["", *notes] if notes else [])]) + "\n"


def page(results: Sequence[Result], command: str, postgres: str, rounds: int, seconds: float) -> str:
    """The whole of RESULTS.md."""
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        "# Measured\n\n"
        f"{when}, `{command}`\n\n"
        f"{_machine()}, PostgreSQL {postgres}, reference {VERSION}. Medians of {rounds} interleaved rounds "
        f"of {seconds:g} s, {CONNECTIONS} connections, one API process each. Load, servers and PostgreSQL "
        "share the machine: ratios of one run count, numbers of different runs don't compare.\n\n"
        f"{table(results)}"
    )


def table_of_one(results: Sequence[Result]) -> str:
    """A table of what only one side does; a limit is what the share is of."""
    rows = [
        f"| {result.title} | {_number(result.median('acta'))} {result.unit} | {_share(result)} "
        f"| {_goal(result)} | {result.verdict} |"
        for result in results
    ]
    return "\n".join(["| what | measured | share | goal | verdict |", "|---|--:|--:|---|---|", *rows]) + "\n"


def put_section(page: Path, title: str, command: str, body: str) -> None:
    """Write a section of RESULTS.md anew, or add it; `run` leaves sections as they are."""
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    where = f"{_machine()}, load average {os.getloadavg()[2]:.1f} in the quarter of an hour before"
    text = f"## {title}\n\n{when}, `{command}`\n\n{where}.\n\n{body}"
    head, *parts = re.split(r"(?m)^(?=## )", page.read_text())
    kept = [part for part in parts if not part.startswith(f"## {title}\n")]
    page.write_text("\n".join(part.rstrip() + "\n" for part in (head, *kept, text)))


def with_sections(page: Path, text: str) -> str:
    """A new first part of RESULTS.md, followed by the sections that other commands wrote."""
    _, *parts = re.split(r"(?m)^(?=## )", page.read_text()) if page.exists() else [""]
    return "\n".join(part.rstrip() + "\n" for part in (text, *parts))


def _share(result: Result) -> str:
    return "" if result.against_limit is None else f"{result.against_limit:.2f}"


def _goal(result: Result) -> str:
    if result.goal_value:
        return f"{result.goal_value:g} {result.unit}"
    return f"{result.goal_limit:g}" if result.goal_limit else ""


def _row(result: Result) -> str:
    goals = [
        f"{result.goal_reference:g}x" if result.goal_reference else "",
        f"{result.goal_limit:.0%} of the limit" if result.goal_limit else "",
        f"{result.goal_value:g} {result.unit}" if result.goal_value else "",
    ]
    cells = [
        result.title,
        result.unit,
        *(_number(result.median(side)) for side in ("reference", "acta", "limit")),
        "-" if result.against_reference is None else f"{result.against_reference:.1f}x",
        "-" if result.against_limit is None else f"{result.against_limit:.0%}",
        ", ".join(filter(None, goals)) or "-",
        result.verdict,
    ]
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _machine() -> str:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = (line for line in info.read_text().splitlines() if line.startswith("model name"))
        cpu = next(models, f": {cpu}").split(":", 1)[1].strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kernel = subprocess.run(["uname", "-sr"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GB, {kernel}"
