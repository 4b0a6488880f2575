"""The command line: one file per command, put together here."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from typer._click.exceptions import ClickException

from isthmus.cli import (
    advise,
    ask,
    believed,
    bom,
    chat,
    doctor,
    documents,
    explain,
    keys,
    ledger,
    mcp,
    models,
    offers,
    perimeter,
    scan,
    up,
)
from isthmus.cli.agent.app import app as agent
from isthmus.cli.catalog.app import app as catalog
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
ledger.app.command("believed")(believed.command)
app.add_typer(models.app, name="models")
app.add_typer(perimeter.app, name="perimeter")
app.add_typer(documents.app, name="documents")
app.command("scan")(scan.command)
app.command("chat")(chat.command)
app.add_typer(agent, name="agent")
app.add_typer(mcp.app, name="mcp")
app.add_typer(catalog, name="catalog")
app.command("bom")(bom.command)
app.command("doctor")(doctor.command)
app.command("advise")(advise.command)


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
    """Run the command line; our own errors become a sentence, not a traceback, or JSON where that was asked for."""
    as_json = "--json" in sys.argv[1:]
    try:
        sys.exit(app(standalone_mode=not as_json))
    except IsthmusError as exc:
        (_print_json if as_json else _print)(exc)
        sys.exit(FAILED)
    except ClickException as exc:  # only in JSON; for people typer shows what is wrong with the options
        _print_error("bad_option", exc.format_message())
        sys.exit(exc.exit_code)


FAILED = 1
"""Status of a command that could not do what it was asked for; for options that are none it is 2."""


def _print(error: IsthmusError) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"isthmus: {error.sentence}", style="bold red", markup=False)
    for problem in _problems(error):
        console.print(f"  {problem}", markup=False)


def _print_json(error: IsthmusError) -> None:
    _print_error(error.code, error.message, hint=error.hint, problems=_problems(error))


def _print_error(code: str, message: str, *, hint: str | None = None, problems: tuple[str, ...] = ()) -> None:
    """An error for programmes: on standard error, so that standard output has results alone."""
    told = {"error": {"code": code, "message": message, "hint": hint, "problems": problems}}
    sys.stderr.write(msgspec.json.encode(told).decode() + "\n")


def _problems(error: IsthmusError) -> tuple[str, ...]:
    return error.problems if isinstance(error, ConfigError) else ()
