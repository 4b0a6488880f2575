"""Run the gates and write the table.

PYTHONPATH=src:. python -m bench.agentdojo.run [GATE ...] [--out FILE]     in the environment that has AgentDojo
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.agentdojo.cases import VERSION, Case, run
from bench.agentdojo.gates import GATES, OUT

SUITES = ("workspace", "travel", "banking", "slack")


def measured(gate: str) -> dict[str, Any]:
    """What one gate does with all tasks and all attacks."""
    began = time.process_time()
    alone, attacked = list(run(GATES[gate], attacked=False)), list(run(GATES[gate], attacked=True))
    return {
        "attacks": sum(case.attacked for case in attacked),
        "attacks_by_suite": {suite: _count(attacked, suite, "attacked") for suite in SUITES},
        "cases": len(attacked),
        "useful": sum(case.useful for case in alone),
        "useful_attacked": sum(case.useful for case in attacked),
        "approvals": sum(case.approvals for case in alone),
        "approvals_by_suite": {suite: _count(alone, suite, "approvals") for suite in SUITES},
        "asked": sum(case.approvals > 0 for case in alone),
        "done_with_at_most": [sum(case.useful and case.approvals <= most for case in alone) for most in range(4)],
        "approvals_attacked": sum(case.approvals for case in attacked),
        "refused_attacked": sum(case.refused for case in attacked),
        "leaks": [f"{case.suite} {case.task} {case.attack}" for case in attacked if case.attacked][:40],
        "lost": [f"{case.suite} {case.task} {case.attack}" for case in attacked if not case.useful][:40],
        "questions": [f"{case.suite} {case.task}: {question}" for case in alone for question in case.questions],
        "cpu_seconds": round(time.process_time() - began, 1),
    }


def _count(cases: Sequence[Case], suite: str, what: str) -> int:
    return sum(int(getattr(case, what)) for case in cases if case.suite == suite)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gates", nargs="*", default=list(GATES))
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    results = json.loads(chosen.out.read_text())["gates"] if chosen.out.exists() else {}
    for gate in chosen.gates:
        results[gate] = measured(gate)
        row = results[gate]
        print(
            f"{gate:8} attacks {row['attacks']:3}/{row['cases']}"
            f"  useful {row['useful']}/97, {row['useful_attacked']}/949"
            f"  approvals {row['approvals']} in {row['asked']} tasks"
            f"  done with at most 0..3: {row['done_with_at_most']}  {row['cpu_seconds']} s",
            flush=True,
        )
        report = {
            "date": datetime.now(UTC).date().isoformat(),
            "suites": VERSION,
            "agentdojo": version("agentdojo"),
            "python": platform.python_version(),
            "command": "python -m bench.agentdojo",
            "gates": results,
        }
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
