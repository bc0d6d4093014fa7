"""The sample databases of `tests/data`: Chinook and Pagila, loaded with psql as anybody would."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"


def load(name: str, database_url: str, programs: Path) -> None:
    """Load `chinook` or `pagila`. `programs` is PostgreSQL's `bin` folder."""
    script = gzip.decompress((DATA / f"{name}.sql.gz").read_bytes())
    subprocess.run(
        [str(programs / "psql"), "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", database_url],
        input=script,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def schema_dump(database_url: str, programs: Path) -> str:
    """Everything in the user's schemas as `pg_dump --schema-only` tells it."""
    command = [str(programs / "pg_dump"), "--schema-only", "--exclude-schema=acta", database_url]
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    # Newer programs add a random key against restoring by accident.
    return "\n".join(
        line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))
    )


def structure(database_url: str, programs: Path) -> list[str]:
    """The lines of `schema_dump`, whatever the order of columns: none comes back to its place in a table."""
    return sorted(line.rstrip(",") for line in schema_dump(database_url, programs).splitlines())
