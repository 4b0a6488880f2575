"""Run the suites.

    python -m conformance.run                           all of them
    python -m conformance.run --suite openai-chat -v    one, with what went wrong in full
    python -m conformance.run --write                   all, and the page of results

Ends with 1 where a test failed that is not named among the skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from conformance import page
from conformance.environments import HOME, CannotSetUp
from conformance.stage import Stage, staged
from conformance.suite import Suite
from conformance.suites import SUITES
from conformance.verdict import Verdict, judged

INSIDE = Path(__file__).parent / "inside"
CLIENTS = Path(__file__).parent / "clients"
RESULTS = HOME / "results"
MOST_SECONDS = 900


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _arguments(arguments)
    chosen = [suite for suite in SUITES if not asked.suite or suite.name in asked.suite]
    good = True
    for suite in chosen:
        try:
            verdict = run(suite, only=asked.only)
        except (CannotSetUp, AssertionError) as exc:  # the latter: isthmus did not come up, and why
            print(f"{suite.name}: {exc}")
            good = False
            continue
        if asked.only is None:
            verdict.save(RESULTS)
        _tell(verdict, in_full=asked.verbose)
        good &= verdict.good
    if asked.write:
        page.write(page.page(SUITES, [Verdict.load(file) for file in RESULTS.glob("*.json")]))
    return 0 if good else 1


def run(suite: Suite, *, only: str | None = None) -> Verdict:
    """Run a suite.

    Args:
        suite: which.
        only: expression that chooses among its tests, as pytest's `-k`.

    Raises:
        CannotSetUp: an environment or a source could not be had.
    """
    suite.environment.set_up()
    if suite.source is not None:
        suite.source.set_up()
    locked = suite.environment.versions()
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        folder = Path(name)
        results = folder / "results"
        results.touch()
        with staged(folder, form_only=suite.form_only) as stage:
            _pytest(suite, stage, results, only)
            faults = stage.faults()
        return judged(
            results.read_text().splitlines(),
            faults,
            suite=suite.name,
            date=datetime.now(UTC).date().isoformat(),
            versions={package: locked[package] for package in suite.packages},
        )


def _pytest(suite: Suite, stage: Stage, results: Path, only: str | None) -> None:
    folder = CLIENTS if suite.source is None else suite.source.folder
    command = [
        str(suite.environment.python),
        "-m",
        "pytest",
        "-q",
        "--tb=short",
        "--no-header",
        "-p",
        "no:cacheprovider",
    ]
    command += ["-o", "addopts=", "-p", "conformance_inside", *suite.options, *suite.tests]
    if only is not None:
        command += ["-k", only]
    done = subprocess.run(
        command,
        cwd=folder,
        env=_environment(suite, stage, results),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
    )
    if done.returncode not in (0, 1):  # 1: tests failed, which the results say
        line = {
            "test": f"pytest ended with {done.returncode}",
            "outcome": "failed",
            "reason": done.stdout + done.stderr,
        }
        with results.open("a") as file:
            file.write(json.dumps(line) + "\n")


def _environment(suite: Suite, stage: Stage, results: Path) -> dict[str, str]:
    """Of the tests: nothing of this machine's that could lead a client elsewhere."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    skips = [(skip.pattern, skip.reason) for skip in suite.skips]
    told = {
        "PYTHONPATH": str(INSIDE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TEST_API_BASE_URL": stage.url + suite.below,
        "CONFORMANCE_RESULTS": str(results),
        "CONFORMANCE_SKIPS": json.dumps(skips),
    }
    return kept | told | ({"CONFORMANCE_MAKES": "made_first"} if suite.made_first else {})


def _tell(verdict: Verdict, *, in_full: bool) -> None:
    print(f"{verdict.suite}: {verdict.passed} passed, {len(verdict.failed)} failed, {len(verdict.skipped)} skipped")
    for test, why in verdict.failed.items():
        lines = why.strip().splitlines() or [""]
        print(f"  FAILED {test}\n    " + "\n    ".join(lines if in_full else lines[-1:]), flush=True)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="conformance", description="Let other people's clients judge isthmus.")
    names = [suite.name for suite in SUITES]
    parser.add_argument("--suite", action="append", choices=names, help="run this one; may be said more than once")
    parser.add_argument("--only", help="run only tests that this expression chooses (pytest -k); nothing is kept")
    parser.add_argument("--write", action="store_true", help="write the page of results")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell failures in full")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
