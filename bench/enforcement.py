"""Whether every point at which something is enforced is watched by a test: each is switched off in turn.

`enforcement.toml` names the points: the text in the source that enforces, the text that would not, and the tests that
must notice. The sources are copied, one point at a time is switched off in the copy, and its tests are run.

    python -m bench.enforcement              all of them; ends with 1 unless every one is noticed
    python -m bench.enforcement pseudonym    those whose name, file or sentence holds the word
    python -m bench.enforcement --list       the page of the reference
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

ROOT = Path(__file__).parents[1]
POINTS = Path(__file__).with_suffix(".toml")
PAGE = ROOT / "docs" / "reference" / "enforcement.md"
COPIED = ("src", "tests", "bench", "docs", "pyproject.toml")
"""What tests read."""
SECONDS = 180.0
"""For the tests of one point. A point that is switched off may leave its tests waiting for ever."""

Fate = Literal["noticed", "survived", "void"]
"""What became of a point that was switched off.

noticed   a test failed, as it should
survived  no test failed: nothing watches the point
void      nothing was tried: the source has changed, or the tests could not be run
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One place in the source that enforces something."""

    name: str
    enforces: str
    """What holds because of it, as a sentence."""
    file: str
    """Its source, below the root."""
    source: str
    """The text that enforces. It stands there once."""
    off: str
    """What stands in its place when the point is switched off."""
    tests: tuple[str, ...]
    """What pytest is to run: a test file, or a test in one."""

    def occurrences(self, root: Path = ROOT) -> int:
        """How often the source has the text."""
        return (root / self.file).read_text().count(self.source)

    def switched_off(self, source: str) -> str:
        """The source without what enforces."""
        return source.replace(self.source, self.off)

    def missing_tests(self, root: Path = ROOT) -> Iterator[str]:
        """Tests that are not there."""
        for test in self.tests:
            file, _, name = test.partition("::")
            path = root / file
            if not path.is_file() or (name and f"def {name}(" not in path.read_text()):
                yield test


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one point."""

    point: Point
    fate: Fate
    seconds: float
    noticed_by: str = ""
    """The test that failed, or why nothing was tried."""


def points(file: Path = POINTS) -> tuple[Point, ...]:
    """The points, in the order of their list.

    Raises:
        TypeError: a point lacks a field, or has one that is none.
    """
    with file.open("rb") as opened:
        listed = tomllib.load(opened)["points"]
    return tuple(Point(**{**fields, "tests": tuple(fields["tests"])}) for fields in listed)


def page(listed: Sequence[Point]) -> str:
    """The page of the reference."""
    files = list(dict.fromkeys(point.file for point in listed))
    lines = [
        "# Where things are enforced",
        "",
        f"The {len(listed)} places in the source that keep data in, or the record whole. `python -m bench.enforcement`",
        "switches each one off in turn, in a copy of the source, and runs the tests that watch it: where none fails,",
        "it ends with 1. `bench/enforcement.toml` is the list with the source texts and the tests; this page is what",
        "`python -m bench.enforcement --list` prints.",
        "",
        "Where two points guard the same thing, each is switched off alone, and a test asks just that one.",
    ]
    for file in files:
        lines += [
            "",
            f"## `{file.removeprefix('src/isthmus/')}`",
            "",
            "| point | what holds because of it |",
            "| --- | --- |",
        ]
        lines += [f"| {point.name} | {point.enforces} |" for point in listed if point.file == file]
    return "\n".join([*lines, ""])


# --------------------------------------------------------------------------------------------------------------- a copy


def copied(root: Path, to: Path) -> Path:
    """A copy of what the tests need."""
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, to / name, ignore=shutil.ignore_patterns("__pycache__", "out"))
        else:
            shutil.copy2(root / name, to / name)
    return to


def run_tests(tree: Path, tests: Sequence[str], *, seconds: float = SECONDS) -> tuple[int | None, str]:
    """Run tests in a copy.

    Returns:
        pytest's exit code, None when the time was over; and the last lines it wrote.
    """
    environment = {**os.environ, "PYTHONPATH": str(tree / "src")}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider"]
    # The profile for CI draws the same examples each time and lets a busy machine be slow: a test that fails for
    # its own slowness would notice nothing.
    command += ["--hypothesis-profile=ci", f"--timeout={seconds / 3:g}", *tests]
    try:
        ran = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return None, f"the tests took longer than {seconds:g} s"
    return ran.returncode, "\n".join((ran.stdout + ran.stderr).strip().splitlines()[-8:])


def tried(point: Point, tree: Path) -> Outcome:
    """Switch a point off in a copy, run its tests, and switch it on again."""
    began = time.monotonic()

    def outcome(fate: Fate, why: str) -> Outcome:
        return Outcome(point=point, fate=fate, seconds=time.monotonic() - began, noticed_by=why)

    file = tree / point.file
    if not file.is_file() or point.occurrences(tree) != 1:
        return outcome("void", "its text does not stand in the source once")
    source = file.read_text()
    mutated = point.switched_off(source)
    try:
        compile(mutated, file, "exec")
    except SyntaxError as error:
        return outcome("void", f"what replaces it is not Python: {error}")
    try:
        _write(file, mutated)
        code, told = run_tests(tree, point.tests)
    finally:
        _write(file, source)
    if code == 0:
        return outcome("survived", "no test failed")
    failed = next((line.split()[1] for line in told.splitlines() if line.startswith(("FAILED", "ERROR"))), "")
    if code == 1 and failed:  # without a name it was no test that failed, but pytest that was ended by a test that hung
        return outcome("noticed", failed.rpartition("::")[2])
    return outcome("void", f"the tests could not be run ({code}): {told[-300:]}")


def _write(file: Path, text: str) -> None:
    """Write a source; what was compiled of it before is of no use: its time and size may well be the same."""
    file.write_text(text)
    Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)


def all_tried(listed: Sequence[Point], folder: Path, *, jobs: int) -> Iterator[Outcome]:
    """Try every point, `jobs` at a time, each in a copy of its own."""
    free: SimpleQueue[Path] = SimpleQueue()
    for number in range(jobs):
        tree = folder / str(number)
        tree.mkdir()
        free.put(copied(ROOT, tree))

    def one(point: Point) -> Outcome:
        tree = free.get()
        try:
            return tried(point, tree)
        finally:
            free.put(tree)

    with ThreadPoolExecutor(jobs) as threads:
        yield from threads.map(one, listed)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*", help="only points whose name, file or sentence holds one of these")
    parser.add_argument("--list", action="store_true", help="print the page of the reference and try nothing")
    parser.add_argument("--jobs", type=int, default=1, help="how many are tried at once")
    asked = parser.parse_args()
    listed = points()
    if asked.list:
        print(page(listed), end="")
        return 0
    if asked.words:
        listed = tuple(
            point
            for point in listed
            if any(word.lower() in f"{point.name} {point.file} {point.enforces}".lower() for word in asked.words)
        )
    with tempfile.TemporaryDirectory(prefix="isthmus-enforcement-") as name:
        folder = Path(name)
        untouched = folder / "untouched"
        untouched.mkdir()
        # A test that fails anyway notices nothing.
        code, told = run_tests(
            copied(ROOT, untouched), sorted({test for point in listed for test in point.tests}), seconds=1800
        )
        if code != 0:
            print(f"The tests do not pass as it is:\n{told}")
            return 1
        outcomes = []
        for outcome in all_tried(listed, folder, jobs=max(1, asked.jobs)):
            outcomes.append(outcome)
            print(
                f"{outcome.fate:<8}  {outcome.seconds:5.1f} s  {outcome.point.name}: {outcome.noticed_by}", flush=True
            )
    fates = [outcome.fate for outcome in outcomes]
    noticed = fates.count("noticed")
    print(f"\n{len(fates)} points: {noticed} noticed, {fates.count('survived')} survived, {fates.count('void')} void")
    return 0 if fates and noticed == len(fates) else 1


if __name__ == "__main__":
    sys.exit(main())
