"""Finding the programme of a server that `make servers` installs."""

import os
import shutil
from pathlib import Path

import pytest

_PATH = os.pathsep.join(("/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"))


def programme(name: str) -> Path:
    """Where a programme is; the test is skipped where it is not installed."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.skip(f"{name} is not installed; `make servers` installs it")
    return Path(found)
