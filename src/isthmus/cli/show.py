"""How the command line shows things: JSON for programmes, tables for people."""

from __future__ import annotations

import sys
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from isthmus.cli.question import Told
from isthmus.domain.usage import plain


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def counting(*, quiet: bool) -> Progress:
    """A progress bar over things that are counted, on standard error; none where nobody watches."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)


def summary(told: Told) -> dict[str, object]:
    """What is known of an answer, as plain values."""
    return {
        "request": told.request,
        "offer": told.offer,
        "side": told.side,
        "input_tokens": None if told.usage is None else told.usage.input,
        "output_tokens": None if told.usage is None else told.usage.output,
        "cost": None if told.cost is None else plain(told.cost),
        "seconds": round(told.seconds, 2),
    }


def print_facts(console: Console, told: Told) -> None:
    """Who answered, at what cost; and below, whole at any width, the command that shows all of it."""
    facts = summary(told)
    if told.cost is not None:
        cost = f"${facts['cost']}"
    else:
        cost = "cost unknown" if told.recorded_here else "its cost is in the server's ledger"
    tokens = f"{facts['input_tokens']} tokens in, {facts['output_tokens']} out"
    if told.usage is None:
        tokens = "tokens unknown"
    console.print(f"{told.offer} ({told.side}) · {tokens} · {cost} · {facts['seconds']} s", style="dim", markup=False)
    if told.recorded_here:
        console.print(f"isthmus ledger show {told.request}", style="dim", markup=False, soft_wrap=True)
    else:
        console.print(f"request {told.request}", style="dim", markup=False, soft_wrap=True)


def decision_table(decision: dict[str, Any]) -> Table:
    """A decision (`routing.explain.explanation`) as a table: who serves, who does not, and why."""
    table = Table(title=f"workload {decision['workload']} · goal {decision['goal']}", title_justify="left")
    table.add_column("offer")
    table.add_column("side")
    table.add_column("expected cost", justify="right")
    table.add_column("why")
    rejected = {found["offer"]: found for found in decision["rejected"]}
    for place, candidate in enumerate(decision["route"]):
        reason = rejected.pop(candidate["offer"], None)
        cost = "unknown" if candidate["expected_cost"] is None else f"${candidate['expected_cost']}"
        why = "serves" if place == 0 else "next if it fails"
        if candidate["lowered"]:
            why += f", with {' and '.join(candidate['lowered'])} taken off"
        if place and reason:
            why += f". {reason['sentence']}"
        table.add_row(candidate["offer"], candidate["side"], cost, why, style="bold green" if place == 0 else None)
    for found in rejected.values():
        table.add_row(found["offer"], "", "", f"{found['code']}: {found['sentence']}", style="red")
    return table


def print_decision(console: Console, decision: dict[str, Any]) -> None:
    """Print a decision for people: who serves and why, then which label comes from where."""
    console.print(decision_table(decision))
    places = Table.grid("label", "where", padding=(0, 2))
    for name, found in groupby(sorted(decision["labels"], key=itemgetter("label")), key=itemgetter("label")):
        for number, one in enumerate(found):
            places.add_row(Text("" if number else name, "bold"), Text(_source(one)))
    if decision["labels"]:
        console.print(places)
    versions = f"catalog {decision['catalog_version']}"
    if decision["policy_version"] is not None:
        versions = f"rules {decision['policy_version']} · {versions}"
    told = "" if decision["labels"] else "no labels · "
    console.print(f"{told}{versions}", style="dim", highlight=False, markup=False)


_SOURCES = {
    "key": "declared by the key",
    "workload": "declared by the workload",
    "header": "declared in a header",
    "metadata": "declared in the metadata",
    "part": "declared for a part",
    "command": "declared by --label",
    "detector": "found",
    "lineage": "known again",
    "implied": "implied",
    "previous": "declared for the earlier answer",
}


def _source(found: dict[str, Any]) -> str:
    """Where a label comes from: `found in messages[0].content, characters 3 to 9 (icd10)`."""
    text = _SOURCES.get(found["source"], str(found["source"]))
    if found["where"] is not None:
        text += f" in {found['where']}"
    if found["finder"] is not None:
        text += f" by {found['finder']}" if found["source"] == "implied" else f" ({found['finder']})"
    return text
