"""`acta settings`: what is set, to what, and where it comes from."""

import typer

from cli.settings import explain, load


def settings() -> None:
    """Print every setting with its value and source; secrets are masked."""
    from rich.console import Console
    from rich.table import Table

    table = Table("setting", "value", "source", box=None, pad_edge=False)
    for name, value, source in explain(load()):
        table.add_row(name, value, source, style="dim" if source == "default" else None)
    # A pipe gets whole lines, however long.
    console = Console(soft_wrap=True) if not typer.get_text_stream("stdout").isatty() else Console()
    console.print(table)
