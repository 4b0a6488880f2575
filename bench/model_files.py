"""Our judgement of model files beside picklescan and modelscan, on the same set, in the same run.

The files are made here and never loaded. The scanners run in a Python of their own, so that nothing of theirs is
needed by isthmus:

    python -m venv /tmp/scanners && /tmp/scanners/bin/pip install picklescan==1.0.5 modelscan==0.8.8 joblib "numpy<2"
    python -m bench.model_files --scanners /tmp/scanners/bin/python

modelscan cannot read arrays with a newer numpy. joblib, which comes into that Python too, writes a few more harmless
files, as people have them.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.model_file_set import Made, Verdict, made
from isthmus.doctor.modelfiles.judge import judge_file

Said = Literal["hit", "ok", "skipped", "error"]
"""hit: something was found; ok: looked at, nothing found; skipped: not looked at; error: the scanner gave up on it."""

SECONDS = 300.0

_PICKLESCAN = """
import json, sys
from importlib.metadata import version
from pathlib import Path
import logging
logging.disable(logging.CRITICAL)
from picklescan.scanner import scan_file_path, SafetyLevel
said = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        result = scan_file_path(str(path))
        bad = result.issues_count or result.infected_files
        said[path.name] = "hit" if bad else "error" if result.scan_err else "ok" if result.scanned_files else "skipped"
    except Exception:
        said[path.name] = "error"
print(json.dumps({"name": "picklescan " + version("picklescan"), "said": said}))
"""

_MODELSCAN = """
import json, sys
from importlib.metadata import version
from pathlib import Path
import logging
logging.disable(logging.CRITICAL)
from modelscan.modelscan import ModelScan
said = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        found = ModelScan().scan(str(path))
        summary = found["summary"]
        if summary["total_issues"]:
            said[path.name] = "hit"
        elif found["errors"]:
            said[path.name] = "error"
        else:
            said[path.name] = "ok" if summary["scanned"]["total_scanned"] else "skipped"
    except Exception:
        said[path.name] = "error"
print(json.dumps({"name": "modelscan " + version("modelscan"), "said": said}))
"""

_JOBLIB = """
import sys, numpy, joblib
folder = sys.argv[1]
value = {"weights": numpy.linspace(0, 1, 300).reshape(30, 10), "names": ["a", "b"], "bias": numpy.float64(0.5)}
joblib.dump(value, folder + "/joblib-plain.joblib")
joblib.dump(value, folder + "/joblib-zlib.joblib", compress=3)
joblib.dump(value, folder + "/joblib-xz.joblib", compress=("xz", 3))
joblib.dump([numpy.arange(7), numpy.array(["x", None], dtype=object)], folder + "/joblib-objects.joblib")
"""


@dataclass(frozen=True, slots=True)
class Column:
    """What one scanner said."""

    name: str
    said: dict[str, Said]


def ours(folder: Path) -> Column:
    said: dict[str, Said] = {}
    for path in sorted(folder.iterdir()):
        judgement = judge_file(path)
        said[path.name] = "hit" if judgement.faults else "skipped" if judgement.format == "other" else "ok"
    return Column("isthmus", said)


def theirs(python: Path, script: str, folder: Path) -> Column:
    done = subprocess.run([python, "-c", script, folder], capture_output=True, text=True, timeout=SECONDS, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return Column(told["name"], told["said"])


def table(files: Sequence[Made], columns: Sequence[Column]) -> str:
    """Every file, as Markdown; the eleven that scanners were first compared on come first."""
    lines = [f"| file | what it is | | {' | '.join(column.name for column in columns)} |"]
    lines.append("| --- " * (len(columns) + 3) + "|")
    for file in sorted(files, key=lambda file: not file.core):
        cells = (_cell(file.verdict, column.said.get(file.name, "skipped")) for column in columns)
        lines.append(f"| `{file.name}` | {file.about} | {file.verdict} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(verdict: Verdict, said: Said) -> str:
    harmless = verdict in {"harmless", "unlisted"}
    wrong = said == "hit" if harmless else said in {"ok", "skipped"}
    return f"**{said}**" if wrong else said


def counts(files: Sequence[Made], columns: Sequence[Column]) -> str:
    """How many of each sort every scanner found."""
    lines = [f"| | {' | '.join(column.name for column in columns)} |", "| --- " * (len(columns) + 1) + "|"]
    groups: tuple[tuple[str, list[Made]], ...] = (
        ("malicious, found", [file for file in files if file.verdict == "malicious"]),
        ("of these pickles, archives of them, numpy, joblib", [file for file in files if _pickled(file)]),
        ("broken, found", [file for file in files if file.verdict == "broken"]),
        ("harmless, wrongly found", [file for file in files if file.verdict == "harmless"]),
        ("harmless objects of libraries, found", [file for file in files if file.verdict == "unlisted"]),
    )
    for title, group in groups:
        hits = (sum(column.said.get(file.name) == "hit" for file in group) for column in columns)
        lines.append(f"| {title} | {' | '.join(f'{count} of {len(group)}' for count in hits)} |")
    errors = (sum(said == "error" for said in column.said.values()) for column in columns)
    lines.append(f"| gave up with an error | {' | '.join(map(str, errors))} |")
    return "\n".join(lines)


def _pickled(file: Made) -> bool:
    return file.verdict == "malicious" and not file.name.endswith((".gguf", ".keras", ".h5"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.model_files", description=__doc__)
    parser.add_argument("--scanners", type=Path, help="a Python that has picklescan, modelscan and joblib")
    given = parser.parse_args()
    files = list(made())
    with tempfile.TemporaryDirectory(prefix="model-files-") as name:
        folder = Path(name)
        for file in files:
            (folder / file.name).write_bytes(file.content)
        columns = []
        if given.scanners is not None:
            subprocess.run([given.scanners, "-c", _JOBLIB, folder], check=True, timeout=SECONDS)
            files += (Made(path.name, "written by joblib", "harmless", b"") for path in sorted(folder.glob("joblib-*")))
            columns = [theirs(given.scanners, script, folder) for script in (_PICKLESCAN, _MODELSCAN)]
        columns.insert(0, ours(folder))
    print(f"{len(files)} files, Python {platform.python_version()}\n")
    print(counts(files, columns), end="\n\n")
    print(table(files, columns))
    wrong = [file.name for file in files if (columns[0].said[file.name] == "hit") is (file.verdict == "harmless")]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
