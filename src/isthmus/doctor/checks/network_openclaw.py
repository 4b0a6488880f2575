"""OpenClaw's own audit, where the operator asks for it: it knows its settings better than anybody outside."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

from isthmus.doctor.check import Check, Finding, Severity
from isthmus.doctor.scene import Scene
from isthmus.domain.errors import ConfigError

_SECONDS = 60.0

_SEVERITIES: dict[str, Severity] = {"info": "info", "warn": "warn", "critical": "critical"}


def _look(scene: Scene) -> Iterator[Finding]:
    if not scene.openclaw:
        return
    for found in _audit(scene):
        yield Finding(
            subject=f"OpenClaw {found.get('checkId', '')}".strip(),
            found=f"{found.get('title', '')}: {found.get('detail', '')}".replace("\n", " ").strip(": "),
            severity=_SEVERITIES.get(str(found.get("severity")), "warn"),
            remedy=str(found.get("remediation") or ""),
        )


def _audit(scene: Scene) -> list[dict[str, Any]]:
    """The findings of `openclaw security audit --json`.

    Raises:
        ConfigError: OpenClaw is not installed, or did not give an audit.
    """
    programme = shutil.which("openclaw", path=scene.environ.get("PATH"))
    if programme is None:
        raise ConfigError("The programme openclaw is not installed for this user.")
    try:
        done = subprocess.run(  # noqa: S603  # the operator asked for it, and nothing of it comes from elsewhere
            [programme, "security", "audit", "--json"],
            env=dict(scene.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"openclaw security audit did not end well: {type(error).__name__}.") from error
    text = done.stdout.decode(errors="replace")
    try:
        told = json.loads(text[text.index("{") :])
    except ValueError as error:
        raise ConfigError(f"openclaw security audit gave no JSON, and ended with {done.returncode}.") from error
    findings = told.get("findings") if isinstance(told, dict) else None
    return [found for found in findings if isinstance(found, dict)] if isinstance(findings, list) else []


CHECKS = (
    Check(
        id="NET-9",
        family="network",
        title="What OpenClaw's own audit finds",
        severity="warn",
        why="OpenClaw has about a hundred checks of its settings, files, plugins and channels. With `--openclaw` they "
        "are run, read-only, and told here under their own names and severities.",
        remedy="As it says; `openclaw security audit --fix` mends some of it.",
        look=_look,
    ),
)
