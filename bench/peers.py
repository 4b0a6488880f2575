"""The other gateways: where they come from, at which version, and how each is set up on this machine.

    python bench/peers.py          sets all of them up

Python peers live in environments of their own below `bench/.peers`, so that nothing of theirs is installed beside
isthmus. A peer that cannot be had is left out of the comparison, with the reason.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(__file__).parent / ".peers"


class PeerMissing(Exception):
    """This peer cannot be had here; says why, and what would help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonPeer:
    """A peer from PyPI."""

    name: str
    version: str
    requirements: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return PEERS / self.name

    def program(self, name: str) -> Path:
        return self.folder / "bin" / name

    def set_up(self) -> None:
        """Make its environment, unless it stands already.

        Raises:
            PeerMissing: pip could not install it.
        """
        ready = self.folder / ".ready"
        wanted = "\n".join(self.requirements)
        if ready.exists() and ready.read_text() == wanted:
            return
        print(f"setting up {self.name} {self.version} in {self.folder} ...", flush=True)
        venv.create(self.folder, with_pip=True, clear=True)
        install = [str(self.program("python")), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*install, *self.requirements], capture_output=True, text=True)
        if done.returncode != 0:
            raise PeerMissing(f"pip could not install {self.name} {self.version}: {done.stderr.strip()[-400:]}")
        ready.write_text(wanted)


LITELLM = PythonPeer(name="litellm", version="1.106.2", requirements=("litellm[proxy]==1.106.2",))
TENSORZERO = PythonPeer(name="tensorzero", version="2026.6.0", requirements=("tensorzero==2026.6.0", "openai>=2,<4"))


def nginx() -> str:
    """Path of the nginx binary, installed from the system's packages if we may.

    Raises:
        PeerMissing: it is not there and cannot be installed from here.
    """
    found = _find_nginx()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing nginx-light ...", flush=True)
        subprocess.run(["apt-get", "install", "--yes", "--quiet", "nginx-light"], capture_output=True)
        found = _find_nginx()
    if found is None:
        raise PeerMissing("nginx is not installed (Debian: apt-get install nginx-light).")
    return found


def nginx_version(binary: str) -> str:
    """As nginx tells it, on its error stream: `nginx version: nginx/1.22.1`."""
    told = subprocess.run([binary, "-v"], capture_output=True, text=True).stderr
    return told.strip().rpartition("/")[2]


def _find_nginx() -> str | None:
    return shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))


def main() -> int:
    failed = False
    for name, set_up in (("nginx", nginx), ("tensorzero", TENSORZERO.set_up), ("litellm", LITELLM.set_up)):
        try:
            set_up()
        except PeerMissing as missing:
            failed = True
            print(f"{name}: {missing}")
        else:
            print(f"{name}: ready")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
