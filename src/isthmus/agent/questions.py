"""An approval in words, wherever it is shown: at a terminal, in a chat, in a list.

A person decides by what stands here. So every argument stands here whole, beside who could have written it, and nothing
in any of it acts: it cannot clear the screen, turn the order of characters around, or draw a second question.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from isthmus.agent.approval import Approval, Verdict
from isthmus.agent.conversation import Conversation
from isthmus.agent.inert import one_line, visible
from isthmus.agent.marks import ISTHMUS, USER, Mark
from isthmus.agent.ports import LoggedEvent
from isthmus.agent.rendering import spelled
from isthmus.agent.tool import Argument, Item

ANSWERS: dict[str, tuple[Verdict, str]] = {
    "y": ("approve_once", "yes, once"),
    "a": ("endorse_value", "yes, and take it as named by me"),
    "d": ("draft_instead", "make a draft instead"),
    "r": ("redact", "write it without that"),
    "n": ("refuse", "no"),
}
"""By key: the verdict, and its words."""

_LINE = 200
_SHORT = 80
_HANDLE = re.compile(r"\b[a-z]+_\d+\b")
_ORIGIN = re.compile(r"https?://(?P<host>\[[0-9a-f:.]+\]|[\w.-]+)(?::[0-9]{1,5})?(?=[/?#]|\Z)", re.IGNORECASE)
"""Of an address without user and password; another is not shown in place of a party."""
_NAMED = 3
_TELLING = ("subject", "summary", "title", "name", "path", "from", "sender", "organizer", "start", "date")
"""Fields by which people know a thing, the most telling first."""


def question(approval: Approval, things: Mapping[str, str] = MappingProxyType({})) -> str:
    """The question: what would happen with which arguments, and why it is asked.

    Args:
        approval: the question.
        things: what the things are that arguments name by their ids (`things_of`); without it they stand as ids.
    """
    return "\n".join(_question(approval, things))


def things_of(conversation: str, events: Iterable[LoggedEvent]) -> Mapping[str, str]:
    """What things are called in a conversation, by ids and handles: for people, to whom neither says anything."""
    shelf = Conversation.told(conversation, events).branch.shelf
    called = {shown.handle: _called(shown.item) for shown in shelf.shown}
    return called | {shown.item.id: called[shown.handle] for shown in shelf.shown}


def _called(item: Item) -> str:
    """A few of a thing's own fields. They are quoted: others could have written them."""
    told = [
        f"{name} {one_line(spelled(field.value), _SHORT)!r}"
        for name in _TELLING
        if (field := item.fields.get(name)) is not None and field.value not in (None, "")
    ]
    return ", ".join(told[:_NAMED])


def offered(approval: Approval) -> dict[str, Verdict]:
    """The verdicts that can be given to a question, by their keys; yes and no always can."""
    codes = {remedy.code for remedy in approval.remedies} | {"approve_once", "refuse"}
    return {key: verdict for key, (verdict, _) in ANSWERS.items() if verdict in codes}


def answers(approval: Approval) -> str:
    """The answers there are, a line each, with what follows from each."""
    follows = {remedy.code: remedy.sentence for remedy in approval.remedies}
    lines = []
    for key, verdict in offered(approval).items():
        sentence = follows.get(verdict, "")
        lines.append(f"[{key}] {ANSWERS[key][1]}{f' · {one_line(sentence, _LINE)}' if sentence else ''}")
    return "\n".join(lines)


def _question(approval: Approval, things: Mapping[str, str]) -> Iterator[str]:
    yield f"{one_line(approval.says.partition(' (')[0], _LINE)} ({approval.tool})"
    width = max((len(name) for name in approval.arguments), default=0)
    for name, argument in approval.arguments.items():
        value = textwrap.indent(_value(argument.value), " " * (width + 4)).lstrip()
        yield f"  {name:<{width}}  {value}"
        for id_ in argument.value if isinstance(argument.value, list) else [argument.value]:
            if isinstance(id_, str) and things.get(id_):
                yield f"  {'':<{width}}    {one_line(id_, _SHORT)}: {things[id_]}"
        yield f"  {'':<{width}}  ({_whence(argument)})"
    yield "Why you are asked:"
    named: dict[str, None] = {}
    for why in approval.why:
        sentence = one_line(why.sentence, 2 * _LINE)
        yield f"  - {sentence}"
        named |= dict.fromkeys(_HANDLE.findall(sentence))
    for handle in named:
        if things.get(handle):
            yield f"  {handle}: {things[handle]}"


def _value(value: Any) -> str:
    text = ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
    return visible(text)


def _whence(argument: Argument) -> str:
    told = "you said it" if argument.endorsed else _writers(argument.mark)
    if argument.mark.labels:
        told += f"; labels: {', '.join(sorted(argument.mark.labels))}"
    if argument.parties:
        told += f"; reaches {one_line(', '.join(_reached(argument)), _LINE)}"
    return told


def _reached(argument: Argument) -> Iterator[str]:
    """Who comes to see something: where an address says it, as the address says it, with its scheme and port.

    A party of the web is a host, whatever its ports and schemes: `https://127.0.0.1` even of `http://127.0.0.1:8080`.
    """
    values = argument.value if isinstance(argument.value, list) else [argument.value]
    origins = [match for value in values if isinstance(value, str) and (match := _ORIGIN.match(value))]
    for party in argument.parties:
        own = dict.fromkeys(match[0] for match in origins if party == f"https://{match['host'].strip('[]').lower()}")
        yield from own or (party,)


def _writers(mark: Mark) -> str:
    others = sorted(mark.origins - {USER, ISTHMUS})
    if not others:
        return "your own words" if USER in mark.origins else "written by isthmus"
    named = ", ".join(one_line(origin, 60) for origin in others[:_NAMED])
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f"could have been written by {named}{more}"
