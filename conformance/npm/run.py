"""Every client of the npm registry through isthmus, in one run.

    python -m conformance.npm.run             installs what it needs into .conformance-npm/, then tries everything
    python -m conformance.npm.run codex       only the clients whose name has the word
    python -m conformance.npm.run --json      one line of JSON for each thing that was tried, and nothing else

Ends with 1 unless all passed, and with the line `N passed, N failed, N skipped`. As root on Linux it runs in a network
of its own and also fails where a client calls anybody but the gateway; elsewhere it says that this was not watched.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.table import Table

from conformance.npm import agents, ai_sdk, outside
from conformance.npm.installation import Installation
from conformance.npm.stage import stage
from conformance.npm.verdict import Verdict


def verdicts(words: list[str], folder: Path, installation: Installation) -> Iterator[Verdict]:
    """Everything that was tried, as it was tried."""

    def wanted(name: str) -> bool:
        return not words or any(word.lower() in name.lower() for word in words)

    with (
        outside.watched() if outside.entered() else nullcontext() as watch,
        stage(folder / "isthmus") as running,
    ):
        for client in filter(wanted, ai_sdk.CLIENTS):
            found = ai_sdk.through(client, running, installation)
            yield from found
            yield _alone(found[0].client, watch)
        for agent in filter(lambda one: wanted(one.name), agents.AGENTS):
            for model in agents.FOREIGN[agent.dialect]:
                name = "".join(sign if sign.isalnum() else "-" for sign in f"{agent.name} {model}")
                done = agents.through(agent, model, running, folder / name, installation)
                yield done
            yield _alone(done.client, watch)


def _alone(client: str, watch: outside.Watch | None) -> Verdict:
    """Whether the client, and isthmus for it, called nobody else."""
    what = "calls nobody else"
    if watch is None:
        return Verdict(client=client, offer="", case=what, skipped="not watched: it needs Linux, and root")
    return Verdict(client=client, offer="", case=what, failure=", ".join(watch.called()))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.npm.run", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("words", nargs="*", help="only clients whose name has one of these")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each thing that was tried")
    options = parser.parse_args(arguments)
    console = Console(stderr=True, highlight=False)
    installation = Installation()
    if not installation.ready():
        console.print("Installing the clients (about 1.3 GB) into", str(installation.folder))
        installation.install()
    if outside.possible() and not outside.entered():
        outside.enter("conformance.npm.run", arguments)
    found: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="isthmus-npm-") as folder:
        for verdict in verdicts(options.words, Path(folder), installation):
            found.append(verdict)
            if options.json:
                print(json.dumps(dataclasses.asdict(verdict) | {"outcome": verdict.outcome}), flush=True)
            elif verdict.failure:
                console.print(f"[red]failed[/] {verdict.client} {verdict.offer}: {verdict.case}")
                console.print(verdict.failure, markup=False, style="dim")
    counts = Counter(verdict.outcome for verdict in found)
    if not options.json:
        console.print(_table(found))
        print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] or not counts["passed"] else 0


def _table(found: list[Verdict]) -> Table:
    table = Table("client", "offer", "passed", "failed", "skipped")
    for (client, offer), group in _by_client(found).items():
        counts = Counter(verdict.outcome for verdict in group)
        table.add_row(client, offer, *(str(counts[outcome]) for outcome in ("passed", "failed", "skipped")))
    return table


def _by_client(found: list[Verdict]) -> dict[tuple[str, str], list[Verdict]]:
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in found:
        groups.setdefault((verdict.client, verdict.offer or "all"), []).append(verdict)
    return groups


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
