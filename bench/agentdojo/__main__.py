"""Set up an environment of its own for AgentDojo, and run the gates in it: `python -m bench.agentdojo [GATE ...]`."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = Path(__file__).parent / "requirements.txt"
"""What `pip install agentdojo==0.1.35 msgspec anyio` was resolved to; the rest of isthmus is not needed."""

HOME = Path(os.environ.get("ISTHMUS_AGENTDOJO", Path.home() / ".cache" / "isthmus" / "agentdojo"))
"""Outside of the tree: 76 packages that nothing else here needs."""


def python() -> Path:
    """The environment's interpreter; the environment is made unless it stands."""
    ready = HOME / ".ready"
    interpreter = HOME / "bin" / "python"
    if not (ready.exists() and ready.read_text() == LOCK.read_text()):
        print(f"setting up {HOME} ...", flush=True)
        venv.create(HOME, with_pip=True, clear=True)
        subprocess.run([interpreter, "-m", "pip", "install", "--quiet", "--requirement", LOCK], check=True)
        ready.write_text(LOCK.read_text())
    return interpreter


if __name__ == "__main__":
    here = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    sys.exit(subprocess.run([python(), "-m", "bench.agentdojo.run", *sys.argv[1:]], env=here, cwd=ROOT).returncode)
