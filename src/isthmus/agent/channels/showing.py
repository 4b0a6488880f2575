"""Answers and questions of the agent as messages: plain text, in pieces as long as a service allows.

A question shows every argument as it is, whole, for that is what is approved. The short code in it is made of the
approval and of the digest of its arguments, so an answer is for exactly what was shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from isthmus.agent.approval import Approval
from isthmus.agent.channels.commands import VERDICTS
from isthmus.agent.happenings import Ended
from isthmus.agent.inert import inert, visible

_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_CODE_LENGTH = 6
_COMMANDS: dict[str, str] = {verdict: name for name, verdict in VERDICTS.items()}

HELP = """\
Write what you want done, in your own words.
/pending shows the questions that wait for you.
/approve CODE and /refuse CODE answer one.
/stop ends what is going on.
/pair CODE lets somebody else speak to me."""


def code_of(approval: Approval) -> str:
    """By which an approval is answered in a message."""
    hashed = hashlib.sha256(f"{approval.id}\n{approval.digest}".encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in hashed[:_CODE_LENGTH])


def found(code: str, pending: Iterable[Approval]) -> Approval | None:
    """The approval that a code is of. None: none, or more than one."""
    matching = [approval for approval in pending if code_of(approval) == code]
    return matching[0] if len(matching) == 1 else None


def question(approval: Approval) -> str:
    """An approval as a message: what would happen, with every argument whole, why it is asked, and how to answer."""
    code = code_of(approval)
    lines = [f"May I do this? ({approval.tool})"]
    for name, argument in approval.arguments.items():
        lines += _argument(name, argument.value)
    lines += [f"I ask because: {inert(why.sentence)}" for why in approval.why]
    lines.append("")
    for remedy in approval.remedies:
        if (command := _COMMANDS.get(remedy.code)) is not None:  # a side branch is nothing that a person begins
            lines.append(f"/{command} {code}: {inert(remedy.sentence)}")
    lines.append(f"It is not done before you answer; after {approval.expires_at:%H:%M} it lapses.")
    return "\n".join(lines)


def _argument(name: str, value: object) -> list[str]:
    """An argument: bars mark each of its lines, so none of it can pass for one of ours."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = visible(text)
    return [f"{name}:", *(f"| {line}" for line in shown.split("\n"))]


def ended(outcome: Ended) -> str:
    """The end of a turn as a message."""
    text = visible(outcome.text).strip()
    match outcome.outcome:
        case "done":
            return text or "Done."
        case "waiting":
            return text
        case _:
            return "\n\n".join(part for part in (text, inert(outcome.note) or f"It ended: {outcome.outcome}.") if part)


def pieces(text: str, longest: int) -> Sequence[str]:
    """A text cut into messages, at the end of a paragraph, a line or a word where there is one.

    Joined again, with the white space between them, they are the text.
    """
    found: list[str] = []
    rest = text.strip()
    while len(rest) > longest:
        window = rest[: longest + 1]
        cut = next((at for mark in ("\n\n", "\n", " ") if (at := window.rfind(mark)) > longest // 2), longest)
        found.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    if rest:
        found.append(rest)
    return found
