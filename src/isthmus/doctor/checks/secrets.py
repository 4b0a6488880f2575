"""Secrets where they should not be: in settings, Compose files, dumps of the environment, logs. Never shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from isthmus.detectors.registry import detectors_for
from isthmus.doctor.check import Check, Finding, Severity
from isthmus.doctor.exposure import running
from isthmus.doctor.modes import OTHERS, mode_of, others_may, without
from isthmus.doctor.scene import Scene

_MAX_BYTES = 1 << 20
_LOG_BYTES = 1 << 18
"""Of the end of a log."""
_MOST_LOGS = 20
_SHOWN = 5

_COMPOSE = re.compile(r"(?:docker-)?compose[\w.-]*\.ya?ml\Z")
_ENVIRONMENT = re.compile(
    r"\.env(?:\.(?!example\Z|sample\Z|template\Z|dist\Z).+)?\Z|.+\.env\Z|\.envrc\Z|(?:env|printenv|environ)(?:\.txt|\.log)?\Z"
)

_REFERENCE = re.compile(r"\$\{?[A-Za-z_]|(?:env|file|keyring):")
"""Where a value is only referred to."""

_AUTHORIZATION = re.compile(
    r"authorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic)\s+[\w+/=.~-]{16}|x-(?:goog-)?api-key[\"']?\s*[:=]\s*[\"']?[\w-]{16}|\bik-[\w-]{43}\b",
    re.IGNORECASE,
)
"""A key in a header, or a key of isthmus' own."""


_INSTEAD = (
    "Refer to it instead: env:NAME, file:PATH, or ${NAME} in Compose. And change the secret: who read the file has it."
)


def _in_files(scene: Scene) -> Iterator[Finding]:
    if scene.config_file is None:
        return
    folder = scene.config_file.absolute().parent
    beside = sorted(path for path in folder.iterdir() if path.is_file())
    for path in [scene.config_file, *(path for path in beside if _COMPOSE.match(path.name))]:
        if places := _credentials(path):
            yield _found(
                path,
                places,
                _INSTEAD,
            )
    for path in beside:
        if not _ENVIRONMENT.match(path.name) or not (places := _credentials(path)):
            continue
        # What such a file is for is to hold secrets: it is wrong only where others read it, or where it is committed.
        if others_may(path):
            finding = _found(path, places, "Let nobody else read it.")
            yield Finding(
                subject=finding.subject,
                found=f"{finding.found} Others may read the file (mode {mode_of(path):03o}).",
                fix=without(path, OTHERS),
            )
        if (where := _unignored(path)) is not None:
            yield _found(
                path, places, f"Write {path.name} into {where / '.gitignore'}, before it is committed.", "warn"
            )


def _found(path: Path, places: Sequence[tuple[int, str]], remedy: str, severity: Severity | None = None) -> Finding:
    shown = ", ".join(f"{kind} in line {line}" for line, kind in places[:_SHOWN])
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return Finding(
        subject=str(path), found=f"It holds what looks like a secret: {shown}{more}.", severity=severity, remedy=remedy
    )


def _credentials(path: Path) -> list[tuple[int, str]]:
    """Line and kind of what looks like a secret in a file."""
    text = _text(path, _MAX_BYTES)
    lines = text.splitlines()
    found: set[tuple[int, str]] = set()
    for detector in detectors_for({"credentials"}):
        for one in detector.find([text])[0]:
            line = text.count("\n", 0, one.start) + 1
            if line <= len(lines) and not _refers(lines[line - 1], text[one.start : one.end]):
                found.add((line, one.kind))
    return sorted(found)


def _refers(line: str, value: str) -> bool:
    """Whether what was found is a reference to a secret, or the hash of a key, and not the secret."""
    return (
        bool(_REFERENCE.match(value))
        or "sha256:" in line
        or re.search(rf"(?:env|file|keyring):[^\s\"']*{re.escape(value)}", line) is not None
    )


def _unignored(path: Path) -> Path | None:
    """The top of the repository that would take a file in; None: there is none, or it is told to leave it out.

    Only whole names and `*` in the repository's `.gitignore` files count, as they are usually written.
    """
    for folder in path.parents:
        ignored = folder / ".gitignore"
        if ignored.is_file():
            patterns = (line.strip().lstrip("/").rstrip("/") for line in _text(ignored, _MAX_BYTES).splitlines())
            if any(
                pattern and not pattern.startswith(("#", "!")) and Path(path.name).match(pattern)
                for pattern in patterns
            ):
                return None
        if (folder / ".git").exists():
            return folder
    return None


def _in_logs(scene: Scene) -> Iterator[Finding]:
    for path in _logs(scene):
        lines = [
            number for number, line in enumerate(_text(path, _LOG_BYTES).splitlines(), 1) if _AUTHORIZATION.search(line)
        ]
        if lines:
            yield Finding(
                subject=str(path), found=f"{len(lines)} of its last lines hold keys that were sent in a header."
            )
    if scene.environ.get("OLLAMA_DEBUG", "0") not in {"", "0", "false"}:
        yield Finding(
            subject="OLLAMA_DEBUG in the environment",
            found="An Ollama started from here writes prompts into its log.",
            severity="warn",
            remedy="Unset OLLAMA_DEBUG.",
        )
    for process in running(scene):
        for option, engine in _LOGGING.items():
            if option in process.arguments and engine in " ".join(process.arguments):
                yield Finding(
                    subject=f"{engine}, process {process.pid}",
                    found=f"{option} writes prompts into its log.",
                    severity="warn",
                    remedy=f"Start it without {option}.",
                )


_LOGGING = {"--enable-log-requests": "vllm", "--enable-log-outputs": "vllm", "--log-requests": "sglang"}
"""Options that have engines write what they are asked, and whose they are."""


def _logs(scene: Scene) -> list[Path]:
    folders = [scene.state_dir, *(() if scene.config_file is None else (scene.config_file.absolute().parent,))]
    found: list[Path] = []
    for folder in dict.fromkeys(folders):
        for pattern in ("*.log", "*/*.log", "nohup.out"):
            found += [path for path in sorted(folder.glob(pattern)) if path.is_file() and not path.is_symlink()]
    return list(dict.fromkeys(found))[:_MOST_LOGS]


def _text(path: Path, limit: int) -> str:
    """The end of a file; empty where it is not ours to read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - limit))
            return file.read(limit).decode(errors="replace")
    except PermissionError:
        return ""


CHECKS = (
    Check(
        id="FS-2",
        family="files",
        title="Secrets written down",
        severity="high",
        why="Settings and Compose files are copied, committed and shown to colleagues. Looked for with the detectors "
        "of the perimeter, in the settings file and in Compose and environment files beside it; kind and line are "
        "told, the value never.",
        remedy="Refer to it by env:NAME, file:PATH or keyring:NAME.",
        look=_in_files,
    ),
    Check(
        id="FS-4",
        family="files",
        title="Keys or prompts in logs",
        severity="high",
        why="Logs are kept long and read by many. isthmus writes neither; proxies and engines do when they are told "
        "to. Looked at: the ends of *.log beside the settings and in the state folder, and options of engines that "
        "run.",
        remedy="Take the header out of what is logged, delete the log, and make new keys.",
        look=_in_logs,
    ),
)
