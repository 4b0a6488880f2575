"""The source distributions whose own tests judge isthmus, pinned by hash."""

from __future__ import annotations

import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from conformance.environments import HOME, UV, CannotSetUp


@dataclass(frozen=True, slots=True)
class Source:
    """A source distribution on PyPI."""

    name: str
    version: str
    sha256: str

    @property
    def folder(self) -> Path:
        return HOME / "sources" / f"{self.name}-{self.version}"

    def set_up(self) -> None:
        """Fetch and unpack it, unless it lies there already.

        Raises:
            CannotSetUp: pip could not fetch it, or it is not the one that was pinned.
        """
        if self.folder.exists():
            return
        print(f"fetching {self.name} {self.version} ...", flush=True)
        fetched = self.folder.parent / "fetched"
        fetched.mkdir(parents=True, exist_ok=True)
        pinned = fetched / f"{self.name}.txt"
        pinned.write_text(f"{self.name}=={self.version} --hash=sha256:{self.sha256}\n")
        command = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--require-hashes"]
        command += ["--dest", str(fetched), "--requirement", str(pinned)]
        pip = [str(UV.parent / "python"), "-m", "pip", "--disable-pip-version-check"]
        done = subprocess.run([*pip, *command], capture_output=True, text=True)
        if done.returncode != 0:
            raise CannotSetUp(f"pip could not fetch {self.name} {self.version}: {done.stderr.strip()[-400:]}")
        with tarfile.open(fetched / f"{self.folder.name}.tar.gz") as archive:
            archive.extractall(self.folder.parent, filter="data")


OPENAI = Source("openai", "3.52.0", "258a4fec3e40b412c58672526ed33f20738c2e4ea27601792e73843af62466af")
ANTHROPIC = Source("anthropic", "2.11.0", "205711189d0bdbee78e5bb45b97944e7b42af3e2dce33ce8dacbf80f9492dc00")
