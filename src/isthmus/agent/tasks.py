"""What kind of work a task is, and the few tools it is given.

A rule per kind of task: what it is about is told by its words, and what a tool is about by what it makes and acts on.
So no tool set is known by name here, and a new one takes part without a line of code. A small set matters twice: its
schemas are part of every request, and a small model chooses well among few.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from isthmus.agent.monitor.intents import Intent
from isthmus.agent.monitor.words import FILE_ENDINGS
from isthmus.agent.profiles import Work
from isthmus.agent.prompt import READ_EACH, size, tool_of
from isthmus.agent.tool import Effect, Kind, ToolSpec

MOST_TOOLS: Mapping[Work, int] = {"routine": 7, "complex": 10}
"""Tools of tool sets that a task is given at most, by the work it is."""

MOST_BYTES: Mapping[Work, int] = {"routine": 2_250, "complex": 6_500}
"""Of the schemas of all its tools on the wire. With the instructions and a task of one line, a routine request stays
below 3,000 bytes, whatever tool sets there are."""

_EACH = re.compile(r"\b(?:all|each|every|triage|sort|classify|which|any|unread|urgent|summar\w+)\b", re.IGNORECASE)
"""Words after which many things may have to be read."""

_FILE = re.compile(rf"(?<![\w@/:.-])(?:~?/|\./)?(?:[\w-]+/)*[\w-]+(?:\.[\w-]+)*\.(?:{FILE_ENDINGS})\b", re.IGNORECASE)
"""The name of a file, with its folders. That `mail.txt` is spelled with a topic's word says nothing of the topic."""

_EYES = 2
"""Tools to look with that every task has, whatever else it wants: one looks before one acts."""

_ROUTINE_LENGTH = 400
"""Characters up to which a task can be routine."""


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that tasks and tools are about."""

    name: str
    kinds: tuple[Kind, ...]
    """The main one first."""
    words: re.Pattern[str]
    """In a task's text."""
    sets: re.Pattern[str]
    """In the name of a tool set that is about this."""
    routine: bool


def _topic(name: str, kinds: Iterable[Kind], words: str, sets: str, *, routine: bool) -> Topic:
    return Topic(name, tuple(kinds), re.compile(rf"\b(?:{words})", re.IGNORECASE), re.compile(sets), routine)


TOPICS = (
    _topic(
        "mail",
        ("mail", "mailbox", "attachment"),
        r"e-?mails?\b|mails?\b|inbox|unread|newsletter|triage|repl(?:y|ies)|spam\b|attachments?|drafts?\b|"
        r"trash\b|(?:write|prepare|compose|send) (?:\w+ )?(?:an?|the|my) (?:answer|response)\b",
        "mail",
        routine=True,
    ),
    _topic(
        "calendar",
        ("event", "calendar"),
        r"calendars?|meetings?|appointments?|invit|events?\b|(?:re)?schedul|book (?:a|the|me)|free\b|"
        r"busy\b|availab|lunch|dinner|agenda",
        "cal",
        routine=True,
    ),
    _topic(
        "people",
        ("contact",),
        r"contacts?\b|phone|birthday|address ?book|address of|number of",
        "contact",
        routine=True,
    ),
    _topic(
        "reminders",
        ("job",),
        r"remind|alarm|every (?:day|week|month|morning|evening|hour)|daily|weekly|jobs?\b",
        "schedul|remind|job",
        routine=True,
    ),
    _topic("notes", ("note",), r"notes?\b|remember|memor(?:y|ise|ize)|jot", "note", routine=True),
    _topic(
        "files",
        ("file",),
        r"files?\b|folders?|documents?\b|docs?\b|pdfs?\b|docx|spreadsheet|downloads?",
        "file",
        routine=False,
    ),
    _topic(
        "messages",
        ("channel",),
        r"messages?\b|chats?\b|channels?\b|slack|matrix|telegram|xmpp|jabber|dm\b",
        "messag|chat|matrix|slack|telegram|xmpp",
        routine=False,
    ),
    _topic(
        "pages",
        ("url", "host", "element"),
        r"web|brows|pages?\b|sites?\b|https?:|www\.|urls?\b|links?\b|click|online|form\b|search for|look up|news\b",
        "web|brows",
        routine=False,
    ),
    _topic(
        "money",
        ("amount", "account"),
        r"pay|bank|transfer|transaction|refund|balance|invoice|bill\b|iban",
        "pay|bank|money",
        routine=False,
    ),
)


_REACHING = frozenset({"mail", "calendar", "messages"})
"""Topics in which somebody's address is needed."""

_PEOPLE = next(topic for topic in TOPICS if topic.name == "people")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a turn is given to do its work."""

    work: Work
    topics: tuple[str, ...]
    """What it is about, as far as its words tell."""
    tools: tuple[str, ...]
    """Names, in the order of the tool sets."""


def task_of(text: str, intents: Sequence[Intent], tools: Mapping[str, Sequence[ToolSpec]]) -> Task:
    """What kind of work the user's words are, and the tools for it. Pure: the same words get the same tools.

    Args:
        text: of the user.
        intents: read from it.
        tools: of every tool set, by its name.
    """
    length, text = len(text), _FILE.sub("document", text)
    topics = tuple(topic for topic in TOPICS if topic.words.search(text))
    wants = [want for intent in intents for want in intent.wants]
    routine = (
        bool(topics)
        and len(topics) <= 2
        and all(topic.routine for topic in topics)
        and length <= _ROUTINE_LENGTH
        and len(wants) <= 3
    )
    work: Work = "routine" if routine else "complex"
    if any(slot.kind == "person" for intent in intents for slot in intent.slots) and _REACHING & {
        topic.name for topic in topics
    }:
        topics = tuple(dict.fromkeys((*topics, _PEOPLE)))  # whose address may have to be looked up
    wanted = frozenset((want.effect, want.kind) for want in wants)
    specs = {spec.name: (toolset, spec) for toolset, own in tools.items() for spec in own}
    scores = {
        name: _score(spec, toolset, tools[toolset], topics, wanted, text) for name, (toolset, spec) in specs.items()
    }
    best = sorted((name for name, score in scores.items() if score > 0), key=lambda name: -scores[name])
    eyes = [name for name in best if specs[name][1].effect in {"read", "fetch"}][:_EYES]
    best = [*eyes, *(name for name in best if name not in eyes)]
    room = MOST_BYTES[work]
    apart = bool(best) and (work == "complex" or _EACH.search(text) is not None)
    if apart:
        room -= size(READ_EACH)
    chosen: set[str] = set()
    for name in best:
        needed = size(tool_of(specs[name][1]))
        if len(chosen) < MOST_TOOLS[work] and needed <= room:
            chosen.add(name)
            room -= needed
    ordered = [name for name in specs if name in chosen]
    return Task(
        work=work,
        topics=tuple(topic.name for topic in topics),
        tools=(*ordered, READ_EACH.name) if apart else tuple(ordered),
    )


_ON_TOPIC = 10
_NAMED = 6
_BESIDE = 4
"""Taken off for acting on something else than what the task is about, as on attachments where it is about mails."""

_MEANT: Mapping[str, str] = {
    "accept": "answer",
    "decline": "answer",
    "book": "create",
    "schedule": "create",
    "cancel": "delete",
    "when am i": "free",
}
"""What the words of a request mean in the names of tools."""

_TIDYING = re.compile(r"\b(?:triage|sort|tidy|clean|organi[sz]e|file|archive|mark)\b", re.IGNORECASE)
"""Words that want things moved and marked without saying so."""

_WANTED: Mapping[Effect, int] = {"read": 4, "fetch": 3, "keep": 2, "send": 1, "change": 2, "destroy": -12}
"""How likely a tool of an effect is needed that nobody spoke of: one looks before one acts."""


def _score(
    spec: ToolSpec,
    toolset: str,
    specs: Sequence[ToolSpec],
    topics: Sequence[Topic],
    wanted: frozenset[tuple[Effect, Kind | None]],
    text: str,
) -> int:
    about = _kinds(specs)
    by_name = [topic for topic in TOPICS if topic.sets.search(toolset)]
    on_topic = any(topic in by_name for topic in topics) or (
        not by_name and any(about.intersection(topic.kinds) for topic in topics)
    )
    if topics and not on_topic:
        return 0
    score = (_ON_TOPIC if topics else 1) + _WANTED[spec.effect]
    if any(effect == spec.effect and kind in (None, spec.makes, *_kinds([spec])) for effect, kind in wanted):
        score += _NAMED + (-_WANTED["destroy"] if spec.effect == "destroy" else 0)
    acts_on = {one.kind for one in spec.parameters if one.role == "object" and one.required}
    if acts_on and not acts_on & {topic.kinds[0] for topic in topics} and not any(kind in text for kind in acts_on):
        score -= _BESIDE
    if spec.effect == "change" and _TIDYING.search(text):
        score += _NAMED
    said = f"{text} {' '.join(verb for word, verb in _MEANT.items() if word in text.lower())}"
    verbs = spec.name.split("_")[1:]
    if any(re.search(rf"\b{re.escape(verb[:5])}", said, re.IGNORECASE) for verb in verbs if len(verb) > 2):
        score += _NAMED
    return score


def _kinds(specs: Sequence[ToolSpec]) -> frozenset[Kind]:
    """The kinds of things that tools make and act on."""
    made = {spec.makes for spec in specs if spec.makes is not None}
    taken = {
        parameter.kind
        for spec in specs
        for parameter in spec.parameters
        if parameter.role in ("object", "destination", "query")
    }
    return frozenset(made | taken)
