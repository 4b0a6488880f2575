"""isthmus beside OpenClaw, Hermes Agent and nanobot, each as it comes, with a model that always obeys.

    python -m bench.rivals                   installs what it needs (about 1.9 GB), then plays everything
    python -m bench.rivals hermes isthmus    only those whose name has the word
    python -m bench.rivals --case obeys      only this case
    python -m bench.rivals --json FILE       also writes what was measured, a line of JSON for each

It takes Linux. Everything but the installation happens in a network of its own, in which there is nothing but loopback.
Folder of the installations: `$ISTHMUS_RIVALS`, else `isthmus-rivals` in the folder for temporary files.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from bench.rivals.cases import Case, Finding, play
from bench.rivals.contestants import CONTESTANTS, Contestant
from bench.rivals.table import NOTES, shown

_MARK = "ISTHMUS_RIVALS_NAMESPACE"
_CASES: tuple[Case, ...] = ("obeys", "reaches", "falls back", "unlabelled")
_PROOFS: dict[Case, Case] = {"reaches": "obeys", "unlabelled": "falls back"}
"""Cases that show that another one could have come out differently. Who has leaked there needs no such proof."""


def enter(arguments: list[str]) -> None:
    """Start anew in namespaces of our own, in place of this process: network, and processes.

    The second is for what a contestant leaves running in the background: it ends with us.
    """
    alone = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        alone += ["--user", "--map-root-user"]
    command = ["unshare", *alone, sys.executable, "-m", "bench.rivals", *arguments]
    os.execvpe(command[0], command, os.environ | {_MARK: "1"})


def findings(contestants: list[Contestant], cases: list[Case], console: Console) -> list[Finding]:
    """All that was played, in order."""
    found: list[Finding] = []
    for contestant in contestants:
        leaked: set[Case] = set()
        for case in cases:
            if _PROOFS.get(case) in leaked:
                continue
            console.print(f"{contestant.name}: {case} …", style="dim")
            found.append(play(contestant, case))
            if found[-1].leaked:
                leaked.add(case)
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.rivals", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*", help="only contestants whose name has one of these")
    parser.add_argument("--case", action="append", choices=_CASES, help="only this case; repeatable")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write what was measured")
    asked = parser.parse_args(arguments)
    contestants = [
        one for one in CONTESTANTS if not asked.words or any(word.lower() in one.name.lower() for word in asked.words)
    ]
    console = Console(stderr=True, highlight=False)
    if any(one.mail for one in contestants) and shutil.which("dovecot", path="/usr/sbin:/usr/bin") is None:
        parser.error("the mail account of isthmus takes Dovecot: `make servers` installs it")
    if _MARK not in os.environ:
        for one in contestants:
            if (took := one.installation.install()) is not None:
                console.print(f"{one.name}: installed in {took:.0f} s", style="dim")
        enter(arguments)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    found = findings(contestants, asked.case or list(_CASES), console)
    if asked.json is not None:
        asked.json.write_text("".join(json.dumps(asdict(one)) + "\n" for one in found))
    sizes = {one.name: one.installation.bytes() for one in contestants}
    out = Console(width=150, highlight=False)
    out.print(shown(found, contestants, sizes))
    out.print(NOTES, markup=False)
    void = [one for one in found if not (one.read and one.watched)]
    for nothing in void:
        why = "the secret was not seen on its way" if nothing.read else "the secret was never read"
        console.print(f"{nothing.contestant}, {nothing.case}: {why}, so this says nothing.", style="red")
        console.print(nothing.screen[-1500:], markup=False, style="dim")
    ours = [one for one in found if one.contestant == "isthmus" and one.case != "unlabelled"]
    return 1 if void or any(one.leaked for one in ours) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
