"""Where the contestants come from: PyPI and npm, at fixed versions, into a folder outside of this repository.

Nothing else of the machine is changed. Node.js comes from npm too: OpenClaw needs a newer one than most machines have.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("ISTHMUS_RIVALS", Path(tempfile.gettempdir()) / "isthmus-rivals"))
NODE = "node@24.21.0"
_NPM = ("npm", "install", "--no-audit", "--no-fund", "--loglevel=error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One contestant's own folder."""

    name: str
    requirement: str
    """What pip or npm is asked for."""
    source: str
    """`pypi`, `npm`, or `tree`: this working tree, with pip."""
    beside: str = ""
    """A programme in an npm package that it would itself download when it first runs, where it found a network."""

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def programs(self) -> Path:
        """Where its commands lie."""
        return self.folder / ("node_modules/.bin" if self.source == "npm" else "bin")

    @property
    def path(self) -> list[str]:
        """Folders of programmes, its own first."""
        package = self.beside.rpartition("@")[0]
        beside = [self.folder / "beside" / "node_modules" / package / "bin"] if package else []
        return [*map(str, (self.programs, *beside)), "/usr/local/bin", "/usr/bin", "/bin"]

    @property
    def _wanted(self) -> str:
        return f"{self.requirement} {self.beside}".strip()

    @property
    def _stamp(self) -> Path:
        return FOLDER / f"{self.name}.ready"

    def ready(self) -> bool:
        """Whether it stands, at this version. What is made of the working tree never does: that may have changed."""
        return self.source != "tree" and self._stamp.exists() and self._stamp.read_text() == self._wanted

    def install(self) -> float | None:
        """Make it, unless it stands.

        Returns:
            Seconds it took. None: it stood.

        Raises:
            subprocess.CalledProcessError: a registry is not reached, or refuses; it has said why.
        """
        if self.ready():
            return None
        began = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.source == "npm":
            self._by_npm()
        else:
            self._by_pip()
        if self.beside:
            self._beside()
        self._stamp.write_text(self._wanted)
        return time.monotonic() - began

    def _by_npm(self) -> None:
        (self.folder / "package.json").write_text('{"private": true}\n')
        environment = os.environ | {"PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}"}
        # Node.js first: the other's install script already asks for the new one.
        for package in (NODE, self.requirement):
            subprocess.run([*_NPM, package], cwd=self.folder, env=environment, check=True)

    def _beside(self) -> None:
        folder = self.folder / "beside"
        folder.mkdir(exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n')
        subprocess.run([*_NPM, "--ignore-scripts", self.beside], cwd=folder, check=True)

    def _by_pip(self) -> None:
        if not (self.folder / "bin" / "pip").exists():
            venv.create(self.folder, with_pip=True)
        more: Sequence[str] = ("--force-reinstall", "--no-deps") if self._stamp.exists() else ()
        subprocess.run(
            [self.folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *more, self.requirement],
            check=True,
        )

    def bytes(self) -> int:
        """Its size on disk: blocks, each file once."""
        seen: set[tuple[int, int]] = set()
        total = 0
        for folder, _, names in os.walk(self.folder):
            for name in names:
                found = (Path(folder) / name).lstat()
                if (found.st_dev, found.st_ino) not in seen:
                    seen.add((found.st_dev, found.st_ino))
                    total += found.st_blocks * 512
        return total
