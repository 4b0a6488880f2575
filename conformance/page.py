"""The page of results, `docs/reference/conformance.md`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from conformance.environments import ROOT
from conformance.suite import Suite
from conformance.verdict import Verdict

PAGE = ROOT / "docs" / "reference" / "conformance.md"

_HEAD = """\
# Conformance

Written by `python -m conformance.run --write`. Do not edit.

Other people's clients, and their own test suites, judge a running isthmus: every test below runs unchanged but for
the base URL. Behind isthmus stand strict stand-ins for the vendors, which refuse what the vendor's published types and
rules do not allow; a request that one of them refuses counts as a failure, whatever the client makes of it, and so does
an error in isthmus' log. What the tests of the vendors' own packages call by a name of no meaning (`file_id`) is made
through isthmus first, and asked for by its id; those tests set every parameter at once, which no vendor would take, so
there the stand-ins look at the form of requests alone.

| suite | passed | failed | skipped | versions | date |
|---|---:|---:|---:|---|---|
"""


def page(suites: Sequence[Suite], verdicts: Iterable[Verdict]) -> str:
    """The page.

    Args:
        suites: all there are, in their order.
        verdicts: of those that ran.
    """
    found = {verdict.suite: verdict for verdict in verdicts}
    rows = "".join(_row(suite, found.get(suite.name)) for suite in suites)
    ran = [(suite, found[suite.name]) for suite in suites if suite.name in found]
    failed = "".join(_section(suite, verdict.failed) for suite, verdict in ran if verdict.failed)
    skipped = "".join(_section(suite, verdict.skipped) for suite, verdict in ran if verdict.skipped)
    text = _HEAD + rows
    if failed:
        text += "\n## Failed\n" + failed
    if skipped:
        text += "\n## Skipped\n" + skipped
    return text


def write(text: str, to: Path = PAGE) -> None:
    to.write_text(text)


def _row(suite: Suite, verdict: Verdict | None) -> str:
    if verdict is None:
        return f"| `{suite.name}`: {suite.title} | | | | | not run |\n"
    versions = ", ".join(f"{name} {version}" for name, version in verdict.versions.items())
    counts = f"{verdict.passed} | {len(verdict.failed)} | {len(verdict.skipped)}"
    return f"| `{suite.name}`: {suite.title} | {counts} | {versions} | {verdict.date} |\n"


def _section(suite: Suite, tests: Mapping[str, str]) -> str:
    """The tests of a suite by reason; those that differ in a parameter alone are named once, with their number."""
    reasons: dict[str, Counter[str]] = {}
    for test, reason in tests.items():
        reasons.setdefault(_last_line(reason), Counter())[_plain(test)] += 1
    lines = [f"\n### {suite.name}\n\n"]
    for reason, names in reasons.items():
        told = ", ".join(f"`{name}`" + (f" ({number})" if number > 1 else "") for name, number in sorted(names.items()))
        lines.append(f"- {reason}: {told}\n")
    return "".join(lines)


def _plain(test: str) -> str:
    """`tests/x/test_y.py::TestZ::test_a[strict]` → `test_y::TestZ::test_a`."""
    name = test.partition("[")[0].rpartition("/")[2]
    return re.sub(r"\.py(?=::|$)", "", name)


def _last_line(reason: str) -> str:
    lines = [line for line in reason.strip().splitlines() if line.strip()] or ["no reason told"]
    return lines[-1].strip()[:300]
