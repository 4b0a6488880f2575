"""The reference page of the command line, written from the commands themselves: `python -m isthmus.cli.reference`."""

from __future__ import annotations

import sys
from typing import Any

import typer

from isthmus.cli.main import app

_HEAD = """# Command line

<!-- Written from the commands by `python -m isthmus.cli.reference`; a test compares the two. -->

Every command that prints facts takes `--json`. A command that fails says why in a sentence on standard error and ends
with 1; one that was given options it does not know, or that contradict each other, ends with 2. With `--json` the
error is JSON too, one line on standard error: `{"error": {"code", "message", "hint", "problems"}}`.
"""


def page() -> str:
    """The page, as Markdown."""
    return _HEAD + "".join(_section(["isthmus"], typer.main.get_command(app)))


def _section(path: list[str], command: Any) -> list[str]:
    """A command and what is below it. `command` is click's, which typer ships without types."""
    below = getattr(command, "commands", None)
    if below is not None:
        return [part for name, sub in below.items() for part in _section([*path, name], sub)]
    shown = " ".join(path + [f"[{p.name.upper()}]" for p in command.params if p.param_type_name == "argument"])
    lines = [f"\n## `{shown}`\n\n{(command.help or '').strip()}\n"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    if options or arguments:
        lines.append("\n| | |\n| --- | --- |\n")
        lines += [f"| `{p.name.upper()}` | {_said(p)} |\n" for p in arguments]
        lines += [f"| {', '.join(f'`{name}`' for name in p.opts)} | {_said(p)} |\n" for p in options]
    return lines


def _said(parameter: Any) -> str:
    return str(getattr(parameter, "help", None) or "").replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.stdout.write(page())
