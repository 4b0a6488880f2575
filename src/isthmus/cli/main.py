"""The command line: one file per command, put together here."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console

from isthmus.cli import ask, explain, keys, ledger, models, offers, up
from isthmus.domain.errors import ConfigError, IsthmusError

app = typer.Typer(
    name="isthmus",
    help="One endpoint over closed and open models: data goes only where it is cleared; every crossing is on record.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(up.command)
app.command("ask")(ask.command)
app.command("explain")(explain.command)
app.command("offers")(offers.command)
app.add_typer(keys.app, name="keys")
app.add_typer(ledger.app, name="ledger")
app.add_typer(models.app, name="models")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"isthmus {version('isthmus')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options that come before a command."""


def main() -> None:
    """Run the command line; our own errors become a sentence, not a traceback."""
    try:
        app()
    except IsthmusError as exc:
        told = Console(stderr=True, highlight=False, soft_wrap=True)
        told.print(f"isthmus: {exc.sentence}", style="bold red", markup=False)
        if isinstance(exc, ConfigError):
            for problem in exc.problems:
                told.print(f"  {problem}", markup=False)
        sys.exit(1)
