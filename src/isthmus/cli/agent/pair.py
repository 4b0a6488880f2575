"""`isthmus agent pair`: confirm that somebody who writes to the agent is the user."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from isthmus.app_waking import journal_file
from isthmus.cli.options import ConfigOption, JsonOption
from isthmus.cli.show import print_json
from isthmus.connectors.messages.journal import Journal
from isthmus.domain.errors import NotFound
from isthmus.settings import load


def command(
    code: Annotated[str, typer.Argument(help="The code that the agent sent to whoever wrote to it.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Confirm a code: whoever got it may speak to the agent as you from now on."""
    journal = Journal(journal_file(load(config)))
    try:
        paired = journal.pair(code.strip().upper(), datetime.now(UTC))
    finally:
        journal.close()
    if paired is None:
        raise NotFound(
            "There is no such code any more.", hint="Codes end after an hour: write to the agent for a new one."
        )
    if as_json:
        print_json({"address": paired.address})
    else:
        Console(highlight=False).print(f"{paired.address} may speak to the agent as you now.", markup=False)
