"""Reads the settings in a process of its own, so that what reading them takes does not stay in the server.

Reading needs pydantic (15 MB) and, once a day, the data of `genai-prices` (39 MB); what comes out of it is a few
kilobytes of frozen values. The child is our own module in our own interpreter and ends when it has answered.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from isthmus.domain.errors import ConfigError
from isthmus.settings.values import Settings

_SECONDS = 60.0


def load(
    path: Path | None = None, *, environ: Mapping[str, str] = os.environ, ports: Mapping[str, int] | None = None
) -> Settings:
    """Read the settings.

    Blocks for a third of a second, for half a second more where engines are looked for, and as long again when
    prices are looked up for the first time on a day: call it before the event loop runs, or in a thread.

    Args:
        path: the file. None: `$ISTHMUS_CONFIG`, `./isthmus.toml`, `$XDG_CONFIG_HOME/isthmus/isthmus.toml`, whichever
            is there first; and if none is, or it has no offers, discovery finds them.
        environ: the environment.
        ports: where discovery looks for engines, as name of a service and port; None: on their usual ports.

    Raises:
        ConfigError: the file cannot be used; `problems` has a sentence for each thing that is wrong.
    """
    question = {"path": None if path is None else str(path), "environ": dict(environ), "ports": ports}
    try:
        child = subprocess.run(  # our own module, in our own interpreter
            [sys.executable, "-P", "-m", "isthmus.settings.apart"],
            input=json.dumps(question).encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or str(error).encode()
        raise ConfigError(f"The settings could not be read: {told.decode(errors='replace').strip()[-500:]}") from error
    answer: Settings | ConfigError = pickle.loads(child.stdout)  # noqa: S301  # written by the child just above
    if isinstance(answer, ConfigError):
        raise answer
    return answer


def main() -> None:
    from isthmus.settings.reading import read  # noqa: PLC0415  # what this module keeps out of its callers

    question = json.load(sys.stdin)
    path = None if question["path"] is None else Path(question["path"])
    answer: Settings | ConfigError
    try:
        answer = read(path, environ=question["environ"], ports=question["ports"])
    except ConfigError as error:
        answer = error
    pickle.dump(answer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
