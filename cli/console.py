"""What commands say to a person: data on stdout, everything else on stderr."""

import sys
from typing import NoReturn

import typer

EXIT_FAILURE = 1
EXIT_SETTINGS = 2


def say(text: str) -> None:
    """One sentence for a person, on stderr, so that it never mixes with a command's data."""
    print(f"acta: {text}", file=sys.stderr, flush=True)


def fail(text: str, code: int = EXIT_FAILURE) -> NoReturn:
    """Say why and end the command."""
    say(text)
    raise typer.Exit(code)
