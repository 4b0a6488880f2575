"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="Settings file; else $ISTHMUS_CONFIG, ./isthmus.toml, ~/.config/isthmus/isthmus.toml."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programmes.")]
