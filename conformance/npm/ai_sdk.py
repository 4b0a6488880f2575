"""The Vercel AI SDK through isthmus: every client of it, to an offer of every vendor."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import msgspec

from conformance.npm.installation import Installation
from conformance.npm.stage import Stage
from conformance.npm.verdict import Verdict

CLIENTS = {
    "openai-chat": "@ai-sdk/openai",
    "openai-responses": "@ai-sdk/openai",
    "openai-responses-unstored": "@ai-sdk/openai",
    "openai-compatible": "@ai-sdk/openai-compatible",
    "anthropic": "@ai-sdk/anthropic",
    "google": "@ai-sdk/google",
}
"""The clients by the names they have in `ai_sdk.mjs`, and the package of each."""
_EMBED = ("embed-openai", "embed-gemini")
_MODELS = ("to-openai", "to-anthropic", "to-gemini", *_EMBED)
_RESPONSES = ("to-chat", "to-anthropic", "to-gemini")
_SECONDS = 180.0


class _Line(msgspec.Struct):
    model: str
    case: str
    ok: bool
    error: str = ""
    skipped: str | None = None


_decode = msgspec.json.Decoder(_Line).decode


def through(client: str, stage: Stage, installation: Installation) -> list[Verdict]:
    """What the client found, a verdict for every case."""
    # Node.js looks for packages beside the program.
    program = installation.folder / "ai_sdk.mjs"
    shutil.copy(Path(__file__).with_name("ai_sdk.mjs"), program)
    package = CLIENTS[client]
    name = f"{package} {installation.version(package)}"
    if not package.endswith(client):
        name += f", {client}"
    models = _RESPONSES if client.startswith("openai-responses") else _MODELS
    refused = len(stage.rejected())
    ran = subprocess.run(
        [str(installation.node), str(program), stage.url, client, *models],
        env={name: value for name, value in os.environ.items() if name in ("LANG", "TMPDIR")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    lines = [_decode(line) for line in ran.stdout.splitlines()]
    verdicts = [
        Verdict(client=name, offer=line.model, case=line.case, failure=line.error, skipped=line.skipped or "")
        for line in lines
    ]
    if ran.returncode or not lines:
        verdicts.append(Verdict(client=name, offer="", case="runs to its end", failure=ran.stderr[-600:] or "no line"))
    complaints = stage.rejected()[refused:]
    verdicts.append(
        Verdict(client=name, offer="", case="no vendor refused a request", failure="; ".join(complaints)[:2000])
    )
    return verdicts
