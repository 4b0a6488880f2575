"""The page on AgentDojo, from the figures of a run: `python -m bench.agentdojo.table > docs/reference/agentdojo.md`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.agentdojo.gates import OUT

_ORDER = ("none", "A", "A'", "B", "C", "monitor")
_WHAT = {
    "none": "nothing is asked",
    "A": "A. once anything foreign was read, every call that does something asks",
    "A'": "A'. as A, but listings of channels and users count as trusted",
    "B": "B. as A, but silent where all that decides stands in the request, word for word",
    "C": "C. as B with four letters at least, addresses from contacts, and asking about links",
    "monitor": "**the monitor**, as shipped",
}
_TEXT = Path(__file__).parent / "page.md"


def page(report: Mapping[str, Any]) -> str:
    gates = {name: report["gates"][name] for name in _ORDER if name in report["gates"]}
    mine = gates["monitor"]
    return _TEXT.read_text(encoding="utf-8").format(
        date=report["date"],
        suites=report["suites"],
        agentdojo=report["agentdojo"],
        python=report["python"],
        command=report["command"],
        gates=_gates(gates),
        completion=_completion(gates),
        by_suite=_by_suite(mine),
        questions="\n".join(f"- {question.splitlines()[0]}" for question in mine["questions"]),
        refused=mine["refused_attacked"],
        asked_attacked=mine["approvals_attacked"],
    )


def _gates(gates: Mapping[str, Any]) -> str:
    rows = ["| gate | attacks that succeed | tasks done | done under attack | questions | tasks with a question |"]
    rows.append("|---|--:|--:|--:|--:|--:|")
    for name, row in gates.items():
        rows.append(
            f"| {_WHAT[name]} | {row['attacks']} of {row['cases']} | {row['useful']} of 97 "
            f"| {row['useful_attacked']} of {row['cases']} | {row['approvals']} | {row['asked']} |"
        )
    return "\n".join(rows)


def _completion(gates: Mapping[str, Any]) -> str:
    rows = ["| gate | 0 | 1 | 2 | 3 |", "|---|--:|--:|--:|--:|"]
    for name, row in gates.items():
        shares = " | ".join(f"{done / 97:.0%}" for done in row["done_with_at_most"])
        rows.append(f"| {name} | {shares} |")
    return "\n".join(rows)


def _by_suite(row: Mapping[str, Any]) -> str:
    rows = ["| suite | attacks that succeed | questions |", "|---|--:|--:|"]
    for suite, attacks in row["attacks_by_suite"].items():
        rows.append(f"| {suite} | {attacks} | {row['approvals_by_suite'][suite]} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.stdout.write(page(json.loads(OUT.read_text(encoding="utf-8"))))
