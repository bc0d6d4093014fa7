"""`acta restore` as a person runs it."""

from __future__ import annotations

import pytest

from tests.support.project import Project
from tests.support.server import acta
from tests.time.test_in_place import library


async def test_in_place(project: Project) -> None:
    await library(project)
    then = str(await project.now())
    await project.update("books", 1, {"title": "Changed"})
    await project.delete("books", 2)
    done = acta(project.url, "restore", "--to", then, "--in-place", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "acta: nothing was changed\n")
    assert done.stdout == "books: 1 come back, 1 change, 0 go\n  1: update title\n  2: create\n"
    done = acta(project.url, "restore", "--to", then, "--in-place", "--yes")
    assert (done.returncode, done.stderr) == (0, "acta: restored: 2 items\n")
    assert await project.sql("select title from books where id < 3 order by id") == [("Book 0",), ("Book 1",)]
    done = acta(project.url, "restore", "--to", then, "--into", "past")
    assert (done.returncode, await project.sql("select count(*) from past.books")) == (0, [(9,)])
    done = acta(project.url, "restore", "--to", "2001-01-01", "--in-place")
    assert (done.returncode, done.stdout) == (1, "")
    assert "is before the log: it begins at" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", "1"),
        ("--to", "1", "--in-place", "--into", "x"),
        ("--to", "1", "--into", "x", "--collection", "y"),
        ("--to", "1", "--in-place", "--item", "5"),
    ],
)
def test_options_that_contradict(prepared_url: str, arguments: tuple[str, ...]) -> None:
    done = acta(prepared_url, "restore", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("acta: ")
