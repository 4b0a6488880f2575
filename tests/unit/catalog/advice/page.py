"""The page with the three organisations, made anew: `python -m tests.unit.catalog.advice.page`.

Only what the command says is put in; what is written around it stays, and has to be read again by whoever does this.
"""

import io
from datetime import UTC, date, datetime
from pathlib import Path

from rich.console import Console

from isthmus.catalog.advice.advice import advise
from isthmus.catalog.advice.question import read_question
from isthmus.catalog.catalog import Catalog, load_catalog
from isthmus.cli.advise import print_advice

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "docs/how-to/decide-open-or-closed.md"
EXAMPLES = sorted((ROOT / "docs/how-to/examples/advice").glob("*.toml"))


def said(file: Path, catalog: Catalog, today: date) -> str:
    """What the command prints for a file, at eighty columns and without colours."""
    out = io.StringIO()
    console = Console(width=80, highlight=False, file=out, color_system=None)
    print_advice(console, advise(read_question(file), catalog, today), None)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())


def made_anew(page: str, catalog: Catalog, today: date) -> str:
    """The page, with what is said today below each call of the command."""
    for file in EXAMPLES:
        call = f"$ isthmus advise --from {file.relative_to(ROOT)}\n"
        begin = page.index(call) + len(call)
        page = f"{page[:begin]}{said(file, catalog, today)}\n{page[page.index('```', begin) :]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(made_anew(PAGE.read_text(), load_catalog(), datetime.now(UTC).date()))
