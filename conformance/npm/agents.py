"""Coding agents of the npm registry: how each is told to work through a gateway, alone, and to call nobody else.

Each gets a home and a working folder of its own, its package's own ways to be quiet (no telemetry, no updates), and a
model that is an offer of another dialect than the one it speaks.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.npm.installation import Installation
from conformance.npm.play import FILE, PROMPT, WORD, Play, Step
from conformance.npm.stage import VENDOR_OF, Stage
from conformance.npm.verdict import Verdict

_SECONDS = 90.0
_THOUGHT = "They want a file; I write it first, and then I look at it."


@dataclass(frozen=True, kw_only=True)
class Agent:
    """One agent, in one of the dialects it speaks."""

    name: str
    package: str
    dialect: str
    command: Callable[[str, str], list[str]]
    """Of the model's name and the gateway's address."""
    environment: Callable[[str], Mapping[str, str]]
    """Of the gateway's address."""
    settings: Callable[[str, str], Mapping[str, str]] = field(default=lambda _model, _url: {})
    """Files in its home, of the model's name and the gateway's address."""
    steps: Callable[[Path], Sequence[Step]]
    """The task in its own tools."""


def _claude_code() -> Agent:
    def steps(file: Path) -> list[Step]:
        return [
            Step(
                thought=_THOUGHT,
                text="I write the file.",
                tool="Write",
                arguments={"file_path": str(file), "content": WORD},
            ),
            Step(tool="Read", arguments={"file_path": str(file)}),
        ]

    return Agent(
        name="Claude Code",
        package="@anthropic-ai/claude-code",
        dialect="anthropic",
        command=lambda model, _: ["claude", "-p", PROMPT, "--dangerously-skip-permissions", "--model", model],
        environment=lambda url: {
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": "none",
            # It will not run tools unasked as root unless it is told that nothing is at stake.
            "IS_SANDBOX": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "DISABLE_AUTOUPDATER": "1",
        },
        steps=steps,
    )


def _codex() -> Agent:
    def settings(model: str, url: str) -> dict[str, str]:
        return {
            ".codex/config.toml": (
                f'model = "{model}"\n'
                'model_provider = "isthmus"\n'
                "check_for_update_on_startup = false\n"
                "[analytics]\nenabled = false\n"
                "[features]\nplugins = false\n"
                "[model_providers.isthmus]\n"
                'name = "isthmus"\n'
                f'base_url = "{url}/v1"\n'
                'env_key = "ISTHMUS_KEY"\n'
                'wire_api = "responses"\n'
                "request_max_retries = 0\n"
                "stream_max_retries = 0\n"
            )
        }

    def steps(file: Path) -> list[Step]:
        return [
            Step(
                thought=_THOUGHT,
                text="I write the file.",
                tool="exec_command",
                arguments={"cmd": f"printf {WORD} > {file}"},
            ),
            Step(tool="exec_command", arguments={"cmd": f"cat {file}"}),
        ]

    return Agent(
        name="Codex",
        package="@openai/codex",
        dialect="openai-responses",
        command=lambda _model, _url: [
            "codex",
            "exec",
            "--dangerously-bypass-approvals-and-sandbox",
            "--skip-git-repo-check",
            PROMPT,
        ],
        environment=lambda _: {"ISTHMUS_KEY": "none"},
        settings=settings,
        steps=steps,
    )


def _opencode(package: str, dialect: str, base: str) -> Agent:
    def settings(model: str, url: str) -> dict[str, str]:
        provider = {
            "npm": package,
            "name": "isthmus",
            "options": {"baseURL": url + base, "apiKey": "none"},
            "models": {model: {"name": model, "limit": {"context": 100_000, "output": 8192}}},
        }
        told = {
            "autoupdate": False,
            "share": "disabled",
            "enabled_providers": ["isthmus"],
            "provider": {"isthmus": provider},
        }
        return {".config/opencode/opencode.json": json.dumps(told)}

    def steps(file: Path) -> list[Step]:
        return [
            Step(
                thought=_THOUGHT,
                text="I write the file.",
                tool="write",
                arguments={"filePath": str(file), "content": WORD},
            ),
            Step(tool="read", arguments={"filePath": str(file)}),
        ]

    return Agent(
        name=f"opencode with {package}",
        package="opencode-ai",
        dialect=dialect,
        command=lambda model, _: ["opencode", "run", "--model", f"isthmus/{model}", PROMPT],
        environment=lambda url: {
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
            "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
            # It installs what plugins are written with, though there is none: from here it gets nothing, and goes on.
            "NPM_CONFIG_REGISTRY": url,
        },
        settings=settings,
        steps=steps,
    )


AGENTS = (
    _claude_code(),
    _codex(),
    _opencode("@ai-sdk/openai-compatible", "openai-chat", "/v1"),
    _opencode("@ai-sdk/openai", "openai-responses", "/v1"),
    _opencode("@ai-sdk/anthropic", "anthropic", "/v1"),
    _opencode("@ai-sdk/google", "gemini", "/v1beta"),
)
FOREIGN = {
    "anthropic": ("to-openai", "to-gemini"),
    "openai-responses": ("to-chat", "to-anthropic", "to-gemini"),
    "openai-chat": ("to-anthropic", "to-gemini"),
    "gemini": ("to-openai", "to-anthropic"),
}
"""Offers whose dialect is not the client's own, by the client's dialect."""


def through(agent: Agent, model: str, stage: Stage, folder: Path, installation: Installation) -> Verdict:
    """The whole task, served by the offer `model`; the agent lives and works in `folder`."""
    home, task = folder / "home", folder / "task"
    home.mkdir(parents=True)
    task.mkdir()
    for name, text in agent.settings(model, stage.url).items():
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    vendor = stage.vendors[VENDOR_OF[model]]
    vendor.play = Play(steps=agent.steps(task / FILE))
    refused, known = len(stage.rejected()), {record.entry.id for record in stage.isthmus.records()}
    began = time.monotonic()
    try:
        ran = subprocess.run(
            agent.command(model, stage.url),
            cwd=task,
            env={
                "PATH": installation.path,
                "HOME": str(home),
                "TMPDIR": str(folder),
                "LANG": "C.UTF-8",
                "TERM": "dumb",
                **agent.environment(stage.url),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        said, code = ran.stdout + ran.stderr, ran.returncode
    except subprocess.TimeoutExpired as exc:
        said, code = f"no end after {exc.timeout:.0f} s: {exc.stdout!r} {exc.stderr!r}", -1
    play, vendor.play = vendor.play, None
    entries = [record.entry for record in stage.isthmus.records() if record.entry.id not in known]
    written = (task / FILE).read_text() if (task / FILE).exists() else None
    wrong = [
        *(f"a vendor would have refused: {why}" for why in stage.rejected()[refused:]),
        *(f"in the history: {why}" for why in play.odd),
        *([] if play.complete else [f"played: {', '.join(play.played) or 'nothing'}"]),
        *([] if written == WORD else [f"{FILE} has {written!r}"]),
        *([] if code == 0 and "done" in said else [f"it ended with {code}: {said[-800:]}"]),
        *(f"an entry is {entry.outcome}" for entry in entries if entry.outcome != "completed"),
    ]
    return Verdict(
        client=f"{agent.name} {installation.version(agent.package)}",
        offer=model,
        case="writes a file, reads it, says so",
        failure="; ".join(wrong),
        seconds=time.monotonic() - began,
    )
