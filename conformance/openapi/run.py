"""Judge a running isthmus by schemathesis.

    python -m conformance.openapi.run --openai PATH                both, a minute each
    python -m conformance.openapi.run --minutes 20 --openai PATH   both, ten minutes each
    python -m conformance.openapi.run --spec isthmus               by our own alone

PATH is OpenAI's openapi.json, or a git repository that has it. Ends with 1 where anything was found.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.openapi import environment, published
from conformance.openapi.stage import Stage, staged
from isthmus.gateway.endpoint import endpoints
from isthmus.gateway.openapi import document

HERE = Path(__file__).parent
SPECS = ("openai", "isthmus")

_OPENAI_SAYS_NOT = ("status_code_conformance", "positive_data_acceptance")
"""Its OpenAPI names no statuses of errors but few, and describes every model at once: no one model takes all of it."""


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _arguments(arguments)
    specs = [asked.spec] if asked.spec else list(SPECS)
    if "openai" in specs and asked.openai is None:
        print("--openai PATH is needed to judge by OpenAI's OpenAPI")
        return 2
    environment.set_up()
    good = True
    for spec in specs:
        said = published.read(asked.openai) if spec == "openai" else document(endpoints())
        good &= judge(spec, said, seconds=max(1, round(60 * asked.minutes / len(specs))), seed=asked.seed)
    return 0 if good else 1


def judge(spec: str, said: Mapping[str, Any], *, seconds: int, seed: int | None) -> bool:
    """Run schemathesis. Returns whether nothing was found.

    Args:
        spec: which OpenAPI it is.
        said: the OpenAPI.
        seconds: how long to go on.
        seed: of what is tried; None: another each time.
    """
    with tempfile.TemporaryDirectory(prefix="conformance-openapi-") as name:
        folder = Path(name)
        (folder / "spec.json").write_text(json.dumps(said))
        (folder / "notes").touch()
        with staged(folder) as stage:
            code = _schemathesis(spec, stage, folder, seconds, seed)
            faults = stage.faults()
            told = {
                vendor: f"{len(one.requests)}, {len(one.rejected)} of them refused"
                for vendor, one in stage.vendors.items()
            }
        _tell(folder, spec, told, faults)
    return code == 0 and not faults


def _schemathesis(spec: str, stage: Stage, folder: Path, seconds: int, seed: int | None) -> int:
    command = [str(environment.PYTHON), "-m", "schemathesis.cli", "run", str(folder / "spec.json")]
    command += [
        "--url",
        stage.url + ("/v1" if spec == "openai" else ""),
        "--header",
        f"Authorization: Bearer {stage.key}",
    ]
    command += ["--workers", "1", "--max-time", str(seconds), "--checks", "all", "--continue-on-failure"]
    command += ["--report", "ndjson", "--report-ndjson-path", str(folder / "events"), "--generation-database", "none"]
    command += ["--request-timeout", "20", "--suppress-health-check", "all", "--warnings", "off", "--no-color"]
    if spec == "openai":
        command += ["--exclude-checks", ",".join(_OPENAI_SAYS_NOT)]
    if seed is not None:
        command += ["--seed", str(seed)]
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    told = {
        "SCHEMATHESIS_HOOKS": "inside",
        "PYTHONPATH": str(HERE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CONFORMANCE_SPEC": spec,
        "CONFORMANCE_NOTES": str(folder / "notes"),
        "CONFORMANCE_THERE": json.dumps(stage.there),
    }
    return subprocess.run(command, cwd=folder, env=kept | told, stdin=subprocess.DEVNULL).returncode


def _tell(folder: Path, spec: str, asked: Mapping[str, str], faults: Sequence[str]) -> None:
    """What schemathesis does not: statuses by operation, what reached the vendors, exceptions made, our own faults."""
    notes = [json.loads(line) for line in (folder / "notes").read_text().splitlines()]
    statuses: dict[str, Counter[int]] = {}
    for note in notes:
        if "status" in note:
            statuses.setdefault(note["operation"], Counter())[note["status"]] += 1
    for operation, found in sorted(statuses.items()):
        print(f"{operation:60} " + "  ".join(f"{status}: {number}" for status, number in sorted(found.items())))
    made = Counter(note["exception"] for note in notes if "exception" in note)
    print(f"{spec}: {sum(map(Counter.total, statuses.values()))} requests")
    for vendor, told in asked.items():
        print(f"  reached {vendor}: {told}")
    for reason, number in made.most_common():
        print(f"  excepted {number} times: {reason}")
    for fault in faults:
        print(f"  isthmus logged an error: {fault}")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="conformance.openapi", description="Judge isthmus by OpenAPI.")
    parser.add_argument("--minutes", type=float, default=2, help="how long in all")
    parser.add_argument("--spec", choices=SPECS, help="judge by this one alone")
    parser.add_argument(
        "--openai", type=Path, metavar="PATH", help="OpenAI's openapi.json, or a repository that has it"
    )
    parser.add_argument("--seed", type=int, help="try the same again")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
