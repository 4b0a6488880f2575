"""How the command line shows things: JSON for programmes, tables for people."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from isthmus.cli.question import Told
from isthmus.domain.usage import plain


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


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
        why = "serves" if place == 0 else f"next if it fails. {reason['sentence'] if reason else ''}"
        table.add_row(candidate["offer"], candidate["side"], cost, why, style="bold green" if place == 0 else None)
    for found in rejected.values():
        table.add_row(found["offer"], "", "", f"{found['code']}: {found['sentence']}", style="red")
    return table


def print_decision(console: Console, decision: dict[str, Any]) -> None:
    """Print a decision for people."""
    console.print(decision_table(decision))
    labels = ", ".join(f"{found['label']} (from {found['source']})" for found in decision["labels"])
    console.print(f"labels: {labels or 'none'} · catalog {decision['catalog_version']}", style="dim", highlight=False)
