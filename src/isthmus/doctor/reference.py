"""The reference page of the checks, written from the checks themselves: `python -m isthmus.doctor.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from itertools import groupby

from isthmus.doctor.check import Check, Family
from isthmus.doctor.engines import TITLES, USUAL_PORTS
from isthmus.doctor.registry import all_checks

_HEAD = """# The doctor's checks

<!-- Written from the checks by `python -m isthmus.doctor.reference`; a test compares the two. -->

`isthmus doctor` makes them; [how to see the doctor](../how-to/see-the-doctor.md) says how to read what it tells, and
[what it found on real engines](doctor-engines.md) is recorded. An id never changes its meaning and is never given
again. The severity is that of the check; a finding may be milder or graver, and says so itself.

It ends with 1 where a finding is high or critical, else with 0. A check that could not be made is told with the reason,
and counts as neither.
"""

_FAMILIES: Mapping[Family, tuple[str, str]] = {
    "network": (
        "Network",
        "Who can reach isthmus and the engines beside it. Asked by GET alone, at loopback, at this machine's own "
        "addresses, at hosts that the operator lists, and nowhere else; a port is asked for ten seconds at most.",
    ),
    "keys": ("Keys", "Of clients, of engines, of providers. No key is ever shown."),
    "files": ("Files", "Modes, secrets written down, folders that are copied elsewhere, logs."),
    "supply-chain": ("Supply chain", "What isthmus and the engines are made of."),
    "model-files": ("Model files", "Weights, templates and code that come with them; nothing of it is ever run."),
    "operation": ("Operation", "What time and the outside change."),
}


def page() -> str:
    """The page, as Markdown."""
    return _HEAD + "".join(_sections())


def _sections() -> Iterator[str]:
    for family, checks in groupby(all_checks(), key=lambda check: check.family):
        title, about = _FAMILIES[family]
        yield f"\n## {title}\n\n{about}\n"
        if family == "network":
            yield _engines()
        for check in checks:
            yield _section(check)


def _section(check: Check) -> str:
    asks = " · connects" if check.asks_network else ""
    head = f"\n### {check.id}: {check.title}\n\n`{check.severity}`{asks}\n"
    return f"{head}\n{check.why}\n\n**What to do.** {check.remedy}\n"


def _engines() -> str:
    rows = "".join(f"| {TITLES[engine]} | {port} |\n" for engine, port in USUAL_PORTS.items())
    return (
        "\nWhat is looked for, and where; on Linux also on whatever port a process of theirs listens.\n\n"
        f"| engine | port |\n| --- | --- |\n{rows}"
    )


if __name__ == "__main__":
    sys.stdout.write(page())
