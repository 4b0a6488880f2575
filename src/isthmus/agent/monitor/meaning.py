"""Which things on the shelf the user meant.

A thing is meant by what it is called: a field that is a name, a title, an address, a file's name. The user's words have
to hold all of it, never the other way round; an id is no name, so no number that happens to stand in a sentence ever
picks a thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from isthmus.agent.monitor.intents import Intent, Slot
from isthmus.agent.monitor.normal import normal
from isthmus.agent.monitor.shelf import Shelf, Shown
from isthmus.agent.monitor.words import FILE_ENDINGS
from isthmus.agent.tool import Field, Item, Kind, ToolResult

How = Literal["exactly", "loosely"]
"""exactly: a token of the user's words (quoted text, a name, an address) is what the thing is called. loosely: the
words hold what it is called as a phrase; enough to say what is acted on, too little to say who sees something."""

NAMES: frozenset[Kind] = frozenset({"text", "person", "channel", "file", "mailbox", "calendar", "contact"})
"""Kinds by whose values people call things; a name in the user's words can be any of them."""

_LONGEST_NAME = 120
_BODIES = frozenset({"body", "content", "description", "text", "note", "preview", "snippet", "comment", "location"})
"""Names of fields that hold what a thing says."""
_PLACE_KINDS: tuple[Kind, ...] = ("channel", "url", "mailbox", "calendar")
_ENDING = re.compile(rf"\.(?:{FILE_ENDINGS})\Z", re.IGNORECASE)
_APART = re.compile(r"[\s_\-\u2013—/:,.;!?\"'“”\u2018\u2019()]+")


def same_name(kind: Kind, value: object, slot: Slot) -> bool:
    """Whether a value is what a slot names."""
    if slot.selector is not None or slot.each or slot.prefix or slot.inside or not slot.value or slot.pattern:
        return False
    if kind in NAMES and slot.kind in NAMES:
        return normal("text", str(value)) == slot.value
    return kind == slot.kind and normal(kind, str(value)) == slot.value


def named(shown: Shown, intent: Intent, how: How) -> bool:
    """Whether an intent's words name a thing, or what it was found in."""
    slots = tuple(intent.of("object", "source", "mention", "destination", "content"))
    names = names_of(shown)
    if any(same_name(one.kind, one.value, slot) for one in names for slot in slots):
        return True
    places = tuple(intent.of("source", "object", "destination"))
    for asked in shown.asked_for:
        if any(same_name("text", asked, slot) or same_name("url", asked, slot) for slot in places):
            return True
    return how == "loosely" and any(_phrase_in(str(one.value), one, intent.words) for one in names)


def unasked(result: ToolResult, intents: Sequence[Intent]) -> frozenset[str]:
    """Ids of what a search found beside what the user named: shown by their handles until the model opens them.

    Where nothing that was found is named, all of it is shown: then the search is all there is to go by.
    """
    named_here = {item.id for item in result.items if any(_item_named(item, intent) for intent in intents)}
    return frozenset(item.id for item in result.items if item.id not in named_here) if named_here else frozenset()


def _item_named(item: Item, intent: Intent) -> bool:
    return named(Shown(handle="", item=item, toolset="", call=""), intent, "loosely")


def meant(shown: Shown, shelf: Shelf, intents: Sequence[Intent], how: How = "loosely") -> str | None:
    """Whether a thing is the one that was meant: the reason, in a sentence. None: it is not, or others may be.

    Of all things that a name of the user's fits, it has to be the one that most of what the user said fits, and the
    only one of those; where names leave several, the day may tell.
    """
    for intent in intents:
        if (said := _selected(shown, shelf, intent)) is not None:
            return said
    for level in ("exactly", "loosely") if how == "loosely" else ("exactly",):
        calls = _calls(shown, intents, level)
        if not calls:
            continue
        rivals = {
            other.item.id: (len(theirs), other)
            for other in shelf.shown
            if other.item.kind == shown.item.kind and calls & (theirs := _calls(other, intents, level))
        }
        most = max(count for count, _ in rivals.values())
        best = {key: other for key, (count, other) in rivals.items() if count == most}
        if len(best) > 1:
            days = {slot.value for intent in intents for slot in intent.slots if slot.kind == "time"}
            best = {key: other for key, other in best.items() if any(_on(other, day) for day in days)}
        return f"{shown.handle} is the one {shown.item.kind} that you named" if set(best) == {shown.item.id} else None
    return None


def released(shown: Shown, shelf: Shelf, intent: Intent) -> bool:
    """Whether an intent that names who is to get something names this thing as what, or what it was found in.

    A mention is not enough: that somebody is spoken of does not send what they wrote.
    """
    places = [slot for slot in intent.of("source", "object") if slot.value]
    looked_in = [(kind, asked) for asked in shown.asked_for for kind in _PLACE_KINDS]
    looked_in += [(one.kind, str(one.value)) for one in shown.item.fields.values() if one.kind in _PLACE_KINDS]
    if any(same_name(kind, place, slot) for kind, place in looked_in for slot in places):
        return True
    only_these = replace(intent, slots=tuple(slot for slot in intent.slots if slot.part in {"source", "object"}))
    return meant(shown, shelf, [only_these]) is not None


def beginning(shelf: Shelf, kind: Kind, slot: Slot) -> str | None:
    """The one name of a kind that begins as the user said, in normal form: the only one of all there are."""
    names = {
        normal("text", one.value)
        for shown in shelf.shown
        if shown.whole
        for one in shown.item.fields.values()
        if one.kind == kind
    }
    return only(name for name in names if name.startswith(slot.value))


def on_day(value: object, day: str) -> bool:
    """Whether a time is on a day; `--05-26` is that day of any year."""
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return day[2:] in text[:10] if day.startswith("--") else text.startswith(day)


def _calls(shown: Shown, intents: Sequence[Intent], how: How) -> set[str]:
    """What in the users' words calls a thing by its own name."""
    names = names_of(shown)
    if how == "exactly":
        return {
            slot.value
            for intent in intents
            for slot in intent.slots
            if any(same_name(one.kind, one.value, slot) for one in names)
        }
    return {
        normal("text", one.value)
        for intent in intents
        for one in names
        if _phrase_in(str(one.value), one, intent.words)
    }


def names_of(shown: Shown) -> list[Field]:
    """The fields that say what a thing is called. What it says itself is no name, however short."""
    return [one for name, one in shown.item.fields.items() if name not in _BODIES and _is_name(one)]


def _is_name(one: Field) -> bool:
    if one.kind == "text":
        return isinstance(one.value, str) and len(one.value) <= _LONGEST_NAME and "\n" not in one.value
    return one.kind in NAMES or one.kind in {"email", "url", "host", "account"}


def _phrase_in(name: str, one: Field, words: str) -> bool:
    """Whether the words hold a name as a phrase: of two words, or of one that the user alone can have written."""
    if one.kind not in NAMES:
        return False
    phrase = [word for word in _APART.split(normal("text", _ENDING.sub("", name))) if word]
    letters = sum(len(word) for word in phrase)
    if (len(phrase) < 2 and not (one.mark.trusted and letters >= 4)) or letters < 4 or all(w.isdigit() for w in phrase):
        return False
    said = [word for word in _APART.split(normal("text", words)) if word]
    return any(said[start : start + len(phrase)] == phrase for start in range(len(said) - len(phrase) + 1))


def _on(shown: Shown, day: str) -> bool:
    return any(one.kind == "time" and on_day(one.value, day) for one in shown.item.fields.values())


def _selected(shown: Shown, shelf: Shelf, intent: Intent) -> str | None:
    """Whether a thing is the largest, the newest, … of all there are."""
    for slot in intent.of("object"):
        if slot.selector is None or slot.kind != shown.item.kind:
            continue
        whole = [other for other in shelf.shown if other.item.kind == slot.kind and other.whole]
        by: Kind = "number" if slot.selector in {"largest", "smallest"} else "time"
        measures = {other.item.id: _measure(other, by) for other in whole}
        if shown.item.id not in measures or any(measure is None for measure in measures.values()):
            continue
        wanted = (max if slot.selector in {"largest", "newest"} else min)(filter(None, measures.values()))
        if [key for key, measure in measures.items() if measure == wanted] == [shown.item.id]:
            return f"{shown.handle} is the {slot.selector} {slot.kind}, as you said"
    return None


def _measure(shown: Shown, by: Kind) -> str | None:
    """A thing's size, or its time: the one field of that kind, and only where nobody else could have written it."""
    found = [one for one in shown.item.fields.values() if one.kind == by and one.mark.trusted]
    if len(found) != 1 or found[0].value is None:
        return None
    value = found[0].value
    return value.isoformat() if hasattr(value, "isoformat") else f"{float(str(value)):030.6f}"


def only(values: Iterable[str]) -> str | None:
    """The one value there is."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None
