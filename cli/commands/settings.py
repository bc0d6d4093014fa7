"""`acta settings`: what is set, to what, and where it comes from."""

import sys


def settings() -> None:
    """Print every setting with its value and source; secrets are masked."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from cli.settings import explain, load

    table = Table("setting", "value", "source", box=None, pad_edge=False)
    for name, value, source in explain(load()):
        table.add_row(name, Text(value), source, style="dim" if source == "default" else None)
    # A pipe gets whole lines, however long.
    Console(soft_wrap=not sys.stdout.isatty()).print(table)
