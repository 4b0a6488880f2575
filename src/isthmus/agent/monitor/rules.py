"""Reading an intent by rules: what the words around a token say about its part.

For where no model may be asked, and for whatever has to come out the same each time. It knows the plain English of
requests. What it does not understand it leaves a mention, and a mention endorses nothing: the price of a sentence that
it cannot read is a question more, never a call that nobody wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from isthmus.agent.monitor.intents import Intent, Part, Selector, Slot, Want
from isthmus.agent.monitor.normal import normal
from isthmus.agent.monitor.words import Token, tokens
from isthmus.agent.tool import Effect, Kind

_NUMBERED = re.compile(r"(?:(?<=^)|(?<=\s))([1-9])\.\s+(?=[A-Z])")
_CLAUSE = (
    r"(?:^|[.!?:;,)\n]\s*|\d\.\s+|\b(?:please|kindly|and|then|to|you|also|or|not|so|now|forget|just|i|let's|"
    r"each user|each person|each member)\s+)"
)
"""Before a verb that asks for something, rather than a noun that is spelled the same."""

_MANY = re.compile(r"\b(each|every|all|everyone|everybody)\b", re.IGNORECASE)

_VERBS: tuple[tuple[Effect, Kind | None, str], ...] = (
    ("send", None, r"\b(?:send|forward|invite|reply|notify|refund|repay|reimburse|transfer)\b"),
    ("send", None, rf"{_CLAUSE}(?:e-?mail|mail|message|text|post|share|tell|write|publish|answer|pay|dm|inform|ping)\b"
     r"(?! me\b)"),
    ("send", "event", r"\b(?:add|with)\b[^.!?\n]{0,160}\b(?:participants?|attendees?|guests?)\b"),
    ("send", "event", r"\b(?:same|all)(?: the)? (?:participants|attendees|guests)\b"),
    ("send", None, r"\b(?:add|with)\b[^.!?\n]{0,160}\b(?:members?|channels?)\b"),
    ("send", None, r"\badd\b[^.!?\n]{0,60}\bto (?:that|the|this)\b[^.!?\n]{0,30}\bchannel"),
    ("send", None, r"\bset up\b[^.!?\n]{0,40}\b(?:transaction|payment|transfer|standing order)\b"),
    ("send", "event", r"\b(?:create|schedule|set up|arrange|book|make)\b[^.!?\n]{0,40}\b(?:event|meeting|appointment)\b"
     r"[^.!?\n]{0,40}\bwith\b"),
    ("send", None, rf"{_CLAUSE}(?:accept|decline|respond|rsvp)\b"),
    ("send", "element", rf"{_CLAUSE}(?:fill|submit|click|type|select|choose|press|register|sign|order|log in|enter)\b"),
    ("keep", None, rf"{_CLAUSE}(?:triage|sort|tidy|clean up|organi[sz]e|label|flag)\b"),
    ("keep", "event", r"\b(?:create|add|make|set up|schedule|put|book|enter)\b[^.!?\n]{0,60}\b"
     r"(?:event|appointment|meeting|calendar)\b"),
    ("keep", "event", r"\b(?:add|set|create)\b[^.!?\n]{0,30}\breminder\b"),
    ("keep", "job", r"\b(?:remind me|(?:add|set|create)\b[^.!?\n]{0,30}\breminder)\b"),
    ("keep", "job", r"\b(?:every (?:day|week|month|morning|evening|hour)|daily|weekly|monthly)\b"),
    ("keep", "file", r"\b(?:create|make|write|save|download|put)\b[^.!?\n]{0,60}\b"
     r"(?:file|document|doc|folder|spreadsheet)\b"),
    ("keep", "note", r"\b(?:note (?!that)|remember|write down|jot down)\b"),
    ("keep", "mail", rf"{_CLAUSE}(?:draft|prepare|compose)\b"),
    ("change", None, rf"{_CLAUSE}(?:reschedule|move|rename|update|change|edit|adjust|append|modify|set|mark|archive|"
     r"accept|decline|reserve|book|adapt|correct|complete|fill|submit|sign)\b"),
    ("change", None, r"\bmake (?:a|the|my) reservation\b"),
    ("change", None, r"\badd\b[^.!?\n]{0,160}\bto (?:the|my|that|it)\b[^.!?\n]{0,40}\b"
     r"(?:file|list|document|doc|event)\b"),
    ("change", None, r"\badd (?:them|it|these|this|two|more)\b"),
    ("fetch", "url", r"\b(?:articles?|web ?sites?|web ?pages?|pages?|links?|urls?|blogs?)\b"),
    ("destroy", None, rf"{_CLAUSE}(?:delete|remove|erase|cancel|discard|purge|destroy|unsubscribe)\b"),
)  # fmt: skip

_SELECTORS: tuple[tuple[Selector, str], ...] = (
    ("largest", r"\b(?:largest|biggest)\s+(file|mail|email|attachment|document)\b"),
    ("smallest", r"\bsmallest\s+(file|mail|email|attachment|document)\b"),
    ("newest", r"\b(?:newest|latest|most recent|last)\s+(file|mail|email|message|event|document)\b"),
    ("oldest", r"\b(?:oldest|first)\s+(file|mail|email|message|event|document)\b"),
)
_KIND_WORDS: dict[str, Kind] = {
    "file": "file", "document": "file", "mail": "mail", "email": "mail", "message": "mail", "event": "event",
    "attachment": "attachment", "meeting": "event", "appointment": "event",
}  # fmt: skip

_FILLER = (
    r"(?:\s+(?:also|the|a|an|my|our|our new|new|a new|user|users|colleague|friend|person|people|account|channel|at|"
    r"address|addresses|(?:e-?)?mail|company|site|website|web|page|event|called|named|own|wife|husband|back|her|his|"
    r"their))*[\s:(]*['\"“\u2018]?\Z"
)
_TO = re.compile(
    r"\b(?:to|with|invite|inviting|add|adding|message|messaging|e-?mail|mail|tell|notify|ask|cc|bcc|refund|repay|"
    r"reimburse|pay|inform|ping|dm|recipients? (?:is|are)|account is|address is|participants?:?|attendees?:?|"
    r"recipients?:?|send)" + _FILLER,
    re.IGNORECASE,
)
_NOT_TO = re.compile(
    r"\b(?:(?:shared|sent|written|wrote|gave|addressed|posted|published|related|similar|compared|according|connected)\b"
    r"(?:(?!\band\b|\bthen\b)[^.,;:!?\n]){0,30}|(?:e-?mail|mail|message|letter)s? from [^.,;:!?\n]{1,30})\b(?:to|with)"
    + _FILLER,
    re.IGNORECASE,
)
_FROM = re.compile(
    r"\b(?:from|by|in|on|at|of|file|document|read|visit|see|open|check|under|based on|inside|page|website|"
    r"webpage|attach|into)" + _FILLER,
    re.IGNORECASE,
)
_SAME_PEOPLE = re.compile(
    r"\b(?:same|all)(?: the)?\s+(?:participants|attendees|people|guests|invitees)\s+(?:as|of|from|in)"
    r"(?:\s+(?:the|my|in))*[\s'\"“\u2018]*\Z",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"\b(?:reply|answer|respond)\s+to(?:\s+(?:the|my|e-?mail|mail|message|from|with|subject))*[\s'\"“\u2018]*\Z",
    re.IGNORECASE,
)
_ASKED_THERE = re.compile(
    r"\s+(?:asked|wrote|said|posted|mentioned)\b[^.!?\n]{0,80}\b(?:reply|answer|respond|write|post)\s+(?:back\s+)?there\b",
    re.IGNORECASE,
)
"""'where Alice asked about … and reply there': the place of what Alice wrote."""
_FIND_ADDRESS = re.compile(
    r"\b(?:e-?mail|address|e-?mail address)\b[^.!?\n]{0,30}\b(?:on|at|in|from)\b[^.!?\n]{0,30}\b"
    r"(?:website|page|site|blog|file|document)\b[\s:(]*['\"“\u2018]?\Z",
    re.IGNORECASE,
)
_ME = re.compile(
    r"\b(?:to|send|e-?mail|message|text|notify|forward|mail|ping|remind)\s+(?:(?:it|this|that|them)\s+)?(?:to\s+)?(me|myself)\b",
    re.IGNORECASE,
)
_BEGINS = re.compile(
    r"\b(channel|room|folder)\s+(?:that\s+)?(?:starting|starts|beginning|begins)\s+with\s+['\"“\u2018]?([\w-]+)",
    re.IGNORECASE,
)
_CONTENT = re.compile(
    r"\b(?:titled?|subject|description|called|named|name|message|question|text|body|say|saying|says|words|location|password|"
    r"caption|comment|note|content|title should be|reply)"
    r"(?:\s+(?:of|the|an?|e-?mail|event|should|be|is|as|with|that|to|it|set|following))*[\s:]*['\"“\u2018]?\Z",
    re.IGNORECASE,
)
_AFTER_CHANNEL = re.compile(r"['\"”\u2019]?\s+(?:channel|room|group|list)\b", re.IGNORECASE)
_AFTER_SOURCE = re.compile(
    r"['\u2019]s\b|\s+(?:sent|posted|wrote|asked|said|told|mentioned|shared|gave|wants|called)\b", re.IGNORECASE
)
_THEM = re.compile(
    r"\b(?:send|message|pay|refund|tell|write|invite|add|e-?mail|share with|give|reimburse|repay)\s+(?:to\s+)?"
    r"(?:them|him|her)\b",
    re.IGNORECASE,
)
_JOINS = re.compile(
    r"['\"”\u2019]?\s*(?:,|and|or|&|, and|\([^)]*\)(?:\s*(?:,|and))?)\s*(?:to|with)?\s*['\"“\u2018]?\Z", re.IGNORECASE
)
_COLON = re.compile(
    r"\b(?P<cue>message|question|text|reply|post|note|write|address|body|comment)\b[^:.!?\n]{0,60}:\s+(?=[^\s'\"“\u2018])"
    r"(?P<said>[^\n(]+?)(?=\s*(?:\(|\n|$|(?<=[.!?])\s|\s+and\s+(?:update|send|then|also|add|create|post)\b))",
    re.IGNORECASE,
)
_BARE = re.compile(r"\bdescription\s+(?=[A-Z])(?P<said>[^'\"\n]+?)(?=\.\.|\.\s|\.?\Z)")
_HOLE = re.compile(r"\{[^{}]*\}")
_REPLACED = re.compile(r"\(?\bwhere\s+(\w+)\s+is\s+(?:replaced|the|substituted)", re.IGNORECASE)
_EACH_OF = re.compile(
    r"\b(?:to|invite|add|message|e-?mail)\s+(?:each|every|all)\s+(?:of\s+)?(?:the\s+)?(user|person|member|participant)s?\b",
    re.IGNORECASE,
)


def read(text: str, at: datetime, *, by: str = "user") -> tuple[Intent, ...]:
    """The intents of a message: one, or one for each of its numbered parts.

    Args:
        text: the user's own words.
        at: when they were said, on the user's clock.
        by: who said them.
    """
    return tuple(_intent(part, at, by) for part in _parts(text))


def _parts(text: str) -> list[str]:
    marks = list(_NUMBERED.finditer(text))
    if [match[1] for match in marks] != [str(number) for number in range(1, len(marks) + 1)] or len(marks) < 2:
        return [text]
    ends = [match.start() for match in marks[1:]] + [len(text)]
    return [text[match.end() : end].strip() for match, end in zip(marks, ends, strict=True)]


def _intent(text: str, at: datetime, by: str) -> Intent:
    found = tokens(text, at)
    dictated = [
        slot
        for slot in _dictated(text)
        if not any(token.quoted and token.start <= slot.start < token.end for token in found)
    ]
    outside = [
        slot
        for slot in _slots(text, found)
        if not any(one.start <= slot.start < one.start + len(one.said) for one in dictated)
    ]
    slots = [*(_of_what_is_made(slot, text) for slot in outside), *dictated, *_picked(text)]
    slots += _them(text, slots)
    return Intent(words=text, wants=tuple(_wants(text, found)), slots=tuple(dict.fromkeys(slots)), at=at, by=by)


def _of_what_is_made(slot: Slot, text: str) -> Slot:
    """A day in the sentence that wants an event made is the day of that event."""
    if slot.kind != "time":
        return slot
    sentences = re.split(r"(?<=[.!?])\s+|\n", text)
    place = 0
    for sentence in sentences:
        place = text.index(sentence, place)
        if place <= slot.start < place + len(sentence):
            makes = any(re.search(pattern, sentence, re.IGNORECASE) for _, kind, pattern in _VERBS if kind == "event")
            return replace(slot, part="object") if makes else slot
        place += len(sentence)
    return slot


def _wants(text: str, found: tuple[Token, ...]) -> Iterator[Want]:
    outside = text
    for token in found:  # what is quoted or an address says nothing of what is wanted, and its dots end no sentence
        if token.quoted or token.kind in {"email", "url", "file", "account"}:
            outside = outside[: token.start] + "x" * (token.end - token.start) + outside[token.end :]
    many = _MANY.search(outside) is not None
    starts: dict[tuple[Effect, Kind | None], set[int]] = {}
    for effect, kind, pattern in _VERBS:
        for match in re.finditer(pattern, outside, re.IGNORECASE):
            starts.setdefault((effect, kind), set()).add(match.start())
    for (effect, kind), places in starts.items():
        often = (
            many or kind == "element" or (effect, kind) == ("keep", None)
        )  # a form has many fields, an inbox many mails
        yield Want(effect=effect, kind=kind, times=None if often else len(places))


def _slots(text: str, found: tuple[Token, ...]) -> Iterator[Slot]:
    before: tuple[Token, Part, Kind] | None = None
    for token in found:
        part, kind = _part(text, token, before)
        before = (token, part, kind)
        slot = Slot(part=part, kind=kind, value=token.value, said=token.said, start=token.start)
        if kind in {"url", "file"} and _FIND_ADDRESS.search(text[max(0, token.start - 100) : token.start]):
            yield Slot(
                part="destination", kind="email", value="", said=token.said, start=token.start, inside=token.value
            )
        if part == "content" and _HOLE.search(token.said):
            slot = replace(slot, pattern=_pieces(_HOLE.split(token.said)))
        yield slot


def _part(text: str, token: Token, before: tuple[Token, Part, Kind] | None) -> tuple[Part, Kind]:
    """The part that a token plays, and its kind: of a thing whose people are meant, that of the thing."""
    lead = text[max(0, token.start - 80) : token.start]
    lead = re.split(r"(?<=[.!?])\s|\n", lead)[-1]
    follow = text[token.end : token.end + 20]
    kind = token.kind
    if kind in {"time", "amount"}:
        return "mention", kind
    if before is not None and _JOINS.fullmatch(text[before[0].end : token.start]) and before[0].kind == kind:
        return before[1], before[2]
    if _SAME_PEOPLE.search(lead):
        return "destination", "event"
    if kind == "person" and _ASKED_THERE.match(text[token.end :]):
        return "destination", "mail"
    if _ANSWER.search(lead) and kind != "email":
        return "destination", "mail"
    if token.quoted and _CONTENT.search(lead) and not _AFTER_CHANNEL.match(follow):
        return "content", "text"
    if kind == "account":
        return ("source" if re.search(r"\bfrom\b" + _FILLER, lead, re.IGNORECASE) else "destination"), kind
    if _AFTER_SOURCE.match(follow) or _NOT_TO.search(lead):
        return "source", kind
    if _TO.search(lead) and not (kind == "text" and not _AFTER_CHANNEL.match(follow)) and kind != "file":
        return "destination", kind
    if _FROM.search(lead) or kind in {"file", "url"}:
        return "source", kind
    return ("object" if token.quoted else "mention"), kind


def _dictated(text: str) -> Iterator[Slot]:
    """Content that stands behind a colon or a cue, without quotation marks."""
    hole = _REPLACED.search(text)
    for pattern in (_COLON, _BARE):
        for match in pattern.finditer(text):
            said, start = match["said"].strip(), match.start("said")
            slot = Slot(part="content", kind="text", value=normal("text", said), said=said, start=start)
            if hole is not None and re.search(rf"\b{hole[1]}\b", said):
                slot = replace(slot, pattern=_pieces(re.split(rf"\b{hole[1]}\b", said)))
            yield slot
            if pattern is _COLON and match["cue"].casefold() == "address":
                yield from _lines(said, start)


def _lines(said: str, start: int) -> Iterator[Slot]:
    """The lines of a postal address that was said in one: runs of its pieces between commas."""
    pieces = [piece.strip() for piece in said.split(",")]
    for first in range(len(pieces)):
        for last in range(first + 1, len(pieces) + 1):
            line = ", ".join(pieces[first:last])
            yield Slot(part="content", kind="text", value=normal("text", line), said=line, start=start)


def _picked(text: str) -> Iterator[Slot]:
    for selector, pattern in _SELECTORS:
        for match in re.finditer(pattern, text, re.IGNORECASE):
            kind = _KIND_WORDS[match[1].lower()]
            yield Slot(part="object", kind=kind, value="", said=match[0], start=match.start(), selector=selector)
    for match in _ME.finditer(text):
        yield Slot(part="destination", kind="person", value=match[1].lower(), said=match[1], start=match.start(1))
    for match in _BEGINS.finditer(text):
        value = normal("text", match[2])
        yield Slot(part="destination", kind="channel", value=value, said=match[2], start=match.start(2), prefix=True)
    for match in _EACH_OF.finditer(text):
        yield Slot(part="destination", kind="person", value="", said=match[0], start=match.start(), each=True)


def _them(text: str, slots: list[Slot]) -> Iterator[Slot]:
    """Whom 'them' means: those who were named last before."""
    for match in _THEM.finditer(text):
        named = [slot for slot in slots if slot.kind in {"person", "account", "email"} and slot.start < match.start()]
        if not named:
            continue
        last = max(slot.start for slot in named)
        sentence = max((text.rfind(end, 0, last) for end in (". ", "! ", "? ", "\n")), default=-1)
        for slot in named:
            if slot.start > sentence:
                yield replace(slot, part="destination")


def _pieces(pieces: list[str]) -> tuple[str, ...]:
    return tuple(re.sub(r"\s+", " ", piece).casefold() for piece in pieces)
