"""The environments of the suites: each its own, because clients do not agree on the versions of others.

conformance/requirements/NAME.in    what is wanted
conformance/requirements/NAME.txt   what that was resolved to: uv pip compile NAME.in -o NAME.txt
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".conformance"
UV = ROOT / ".uv" / "bin" / "uv"
REQUIREMENTS = Path(__file__).parent / "requirements"


class CannotSetUp(Exception):
    """An environment or a source could not be had; says which, and why."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment with what `requirements/NAME.txt` lists."""

    name: str

    @property
    def lock(self) -> Path:
        return REQUIREMENTS / f"{self.name}.txt"

    @property
    def python(self) -> Path:
        return HOME / self.name / "bin" / "python"

    def set_up(self) -> None:
        """Make it, unless it stands already.

        Raises:
            CannotSetUp: uv could not.
        """
        ready, wanted = HOME / self.name / ".ready", self.lock.read_text()
        if ready.exists() and ready.read_text() == wanted:
            return
        print(f"setting up the environment {self.name} ...", flush=True)
        for command in (
            ["venv", "--quiet", "--clear", "--python", sys.executable, str(HOME / self.name)],
            ["pip", "install", "--quiet", "--python", str(self.python), "--requirement", str(self.lock)],
        ):
            done = subprocess.run([str(UV), *command], capture_output=True, text=True)
            if done.returncode != 0:
                raise CannotSetUp(f"uv {command[0]} for {self.name}: {done.stderr.strip()[-400:]}")
        ready.write_text(wanted)

    def versions(self) -> dict[str, str]:
        """Versions of all that is locked, by name."""
        pinned = (line.partition("==") for line in self.lock.read_text().splitlines() if line[:1].isalnum())
        return {name.partition("[")[0]: version.split()[0] for name, _, version in pinned}
