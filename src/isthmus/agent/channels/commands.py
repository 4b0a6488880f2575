"""What is said to isthmus itself and never to a model: commands, which begin with a stroke."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from isthmus.agent.approval import Verdict

Plain = Literal["help", "stop", "pending"]

VERDICTS: dict[str, Verdict] = {
    "approve": "approve_once",
    "endorse": "endorse_value",
    "redact": "redact",
    "draft": "draft_instead",
    "refuse": "refuse",
}
"""What a command says to an approval."""

_COMMAND = re.compile(r"[/!](?P<name>[a-z]+)(?:@\w+)?(?:\s+(?P<rest>\S.*))?\Z", re.IGNORECASE | re.DOTALL)
"""Some chat programmes take a stroke for themselves; then an exclamation mark does. Telegram adds the bot's name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`/approve K7Q2`: what is said to an approval."""

    verdict: Verdict
    code: str
    """As the question showed it. Empty: none was said."""


@dataclass(frozen=True, slots=True)
class Pair:
    """`/pair ABCD2345`: somebody unknown may speak to the agent."""

    code: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A command that there is not."""

    name: str


Command: TypeAlias = Answer | Pair | Plain | Unknown


def command(text: str) -> Command | None:
    """The command that a text is. None: it is none."""
    found = _COMMAND.match(text.strip())
    if found is None:
        return None
    name, rest = found["name"].lower(), (found["rest"] or "").strip()
    match name:
        case "help" | "stop" | "pending":
            return name
        case "pair":
            return Pair(rest)
        case _ if name in VERDICTS:
            return Answer(VERDICTS[name], rest.upper())
        case _:
            return Unknown(name)
