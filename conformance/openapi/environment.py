"""The environment of schemathesis, apart from ours: it wants versions of its own.

requirements.in     what is wanted
requirements.txt    what that was resolved to: uv pip compile requirements.in -o requirements.txt
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HOME = ROOT / ".conformance-openapi"
LOCK = HERE / "requirements.txt"
PYTHON = HOME / "env" / "bin" / "python"
_UV = ROOT / ".uv" / "bin" / "uv"


def set_up() -> None:
    """Make it, unless it stands already.

    Raises:
        subprocess.CalledProcessError: uv could not.
    """
    ready, wanted = HOME / "ready", LOCK.read_text()
    if ready.exists() and ready.read_text() == wanted:
        return
    for command in (
        ["venv", "--quiet", "--clear", "--python", sys.executable, str(HOME / "env")],
        ["pip", "sync", "--quiet", "--python", str(PYTHON), str(LOCK)],
    ):
        subprocess.run([str(_UV), *command], check=True)
    ready.write_text(wanted)


def version() -> str:
    """Of schemathesis, as it is locked."""
    pinned = (line.partition("==") for line in LOCK.read_text().splitlines())
    return next(number for name, _, number in pinned if name == "schemathesis")
