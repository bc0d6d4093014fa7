"""PostgreSQL alone: what pgbench gets out of the best SQL known for the answer of a case."""

import json
import re
import subprocess
import time
from pathlib import Path

from bench.cases import Case, Driver
from bench.databases import SQL
from bench.load import LoadError

_CLIENTS = 8
_BATCH_CLIENTS = 2
_FOLDER = SQL / "limit"


def script(name: str) -> Path:
    """The file of a limit."""
    return _FOLDER / f"{name}.sql"


def shapes(name: str) -> list[str]:
    """The limit and its alternatives, `name` first."""
    others = sorted(file.stem for file in _FOLDER.glob(f"{name}.*.sql"))
    return [name, *others]


def rate(case: Case, name: str, database: str, seconds: float) -> float:
    """Transactions (times what each is worth) in a second."""
    if case.driver is Driver.DOWNLOAD:
        began = time.perf_counter()
        answer(case, name, database, {})
        return case.scale / (time.perf_counter() - began)
    clients = _BATCH_CLIENTS if case.driver is Driver.BATCH else _CLIENTS
    options = ["-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(max(1, round(seconds)))]
    done = subprocess.run(
        ["pgbench", *options, "-f", str(script(name)), database], capture_output=True, text=True, check=False
    )
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    if done.returncode or found is None:
        raise LoadError(f"pgbench {name}: {done.stderr.strip()}")
    return float(found[1]) * case.scale


def answer(case: Case, name: str, database: str, values: dict[str, str]) -> object:
    """What the script gives for these variables: JSON, or text for a download."""
    text = script(name).read_text()
    # psql fills variables in just as pgbench does, but would overwrite ours with the text of `random(...)`.
    statement = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("\\set"))
    variables = [part for key, value in values.items() for part in ("-v", f"{key}={int(value)}")]
    command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *variables, "-d", database]
    done = subprocess.run(command, input=statement, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadError(f"psql {name}: {done.stderr.strip()}")
    return done.stdout if case.driver is Driver.DOWNLOAD else json.loads(done.stdout)
