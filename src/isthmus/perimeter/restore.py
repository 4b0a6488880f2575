"""Stand-ins back into values: in texts, in whole answers and in streams, wherever a chunk ends.

Only what stands for something in this very request is put back. What looks like a stand-in and is none, for a model
has changed or invented it, is left as it is and counted: a guess might put one person's name in another's place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from isthmus.domain.message import (
    Choice,
    Citation,
    Cited,
    Completion,
    Event,
    Finished,
    Part,
    Reasoning,
    ReasoningDelta,
    Refusal,
    RefusalDelta,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    Used,
)
from isthmus.perimeter.pseudonyms import PLACEHOLDER, Pseudonyms


def restore_completion(completion: Completion, pseudonyms: Pseudonyms, *, json_text: bool) -> Completion:
    """The answer with values for stand-ins, in everything the model wrote. Log probabilities stay those of its tokens.

    Args:
        completion: the answer.
        pseudonyms: those of its request.
        json_text: the text of the answer is JSON, for the request asked for that.
    """
    return restored_and_mangled(completion, pseudonyms, json_text=json_text)[0]


def restored_and_mangled(completion: Completion, pseudonyms: Pseudonyms, *, json_text: bool) -> tuple[Completion, int]:
    """As `restore_completion`, and how many stand-ins the model has mangled."""
    if not pseudonyms.originals:
        return completion, 0
    stand_ins = StandIns(pseudonyms)
    mangled = 0

    def restored(text: str, *, json: bool = False) -> str:
        nonlocal mangled
        restorer = TextRestorer(stand_ins, json=json)
        whole = restorer.feed(text) + restorer.close()
        mangled += restorer.mangled
        return whole

    def part(part: Part) -> Part:
        match part:
            case Text():
                cited = tuple(_cited(citation, restored) for citation in part.citations)
                return replace(part, text=restored(part.text, json=json_text), citations=cited)
            case Reasoning() | Refusal():
                return replace(part, text=restored(part.text))
            case ToolCall():
                return replace(part, arguments=restored(part.arguments, json=True))
            case _:
                return part

    def choice(choice: Choice) -> Choice:
        stop = choice.stop_sequence and restored(choice.stop_sequence)
        return replace(choice, parts=tuple(map(part, choice.parts)), stop_sequence=stop)

    return replace(completion, choices=tuple(map(choice, completion.choices))), mangled


def _cited(citation: Citation, restored: Callable[[str], str]) -> Citation:
    """A citation with the values back in it. Its places count characters that are others now, so it has none."""
    return Citation(
        url=citation.url,
        title=citation.title and restored(citation.title),
        quote=citation.quote and restored(citation.quote),
    )


class StreamRestorer:
    """The same for the events of one stream.

    Text of a choice is restored kind by kind (what is said, thought, refused) and tool call by tool call. Where another
    kind begins, what was held back of the one before goes out first. Tool calls may come in turns, so what is held back
    of one waits for the end of its choice; of arguments that are whole JSON nothing is.
    """

    def __init__(self, pseudonyms: Pseudonyms, *, json_text: bool) -> None:
        self._stand_ins = StandIns(pseudonyms) if pseudonyms.originals else None
        self._json_text = json_text
        self._said: dict[int, tuple[type[_Said], TextRestorer]] = {}
        """By choice: the kind of text that is going on."""
        self._calls: dict[tuple[int, int], TextRestorer] = {}
        """By choice and call."""
        self._mangled = 0

    @property
    def mangled(self) -> int:
        """Stand-ins that the model has mangled, in all that has ended."""
        return self._mangled

    def feed(self, event: Event) -> list[Event]:
        if self._stand_ins is None:
            return [event]
        match event:
            case TextDelta() | ReasoningDelta() | RefusalDelta():
                return self._say(event)
            case ToolCallStarted():
                return [*self._end_said(event.choice), event]
            case ToolCallDelta():
                restorer = self._calls.get((event.choice, event.call))
                if restorer is None:
                    restorer = self._calls[event.choice, event.call] = TextRestorer(self._stand_ins, json=True)
                arguments = restorer.feed(event.arguments)
                return [replace(event, arguments=arguments)] if arguments or not event.arguments else []
            case Finished():
                if event.stop_sequence:
                    event = replace(event, stop_sequence=self._whole(event.stop_sequence))
                return [*self._end(event.choice), event]
            case Cited():
                return [replace(event, citation=_cited(event.citation, self._whole))]
            case Started() | Used():
                return [event]

    def close(self) -> list[Event]:
        """What is left where the offer never said that a choice has finished."""
        choices = {*self._said, *(choice for choice, _ in self._calls)}
        return [event for choice in sorted(choices) for event in self._end(choice)]

    def _whole(self, text: str) -> str:
        assert self._stand_ins is not None
        restorer = TextRestorer(self._stand_ins)
        return restorer.feed(text) + self._close(restorer)

    def _say(self, event: _Said) -> list[Event]:
        assert self._stand_ins is not None
        events: list[Event] = []
        kind, restorer = self._said.get(event.choice, (None, None))
        if restorer is None or kind is not type(event):
            events += self._end_said(event.choice)
            json = self._json_text and isinstance(event, TextDelta)
            restorer = TextRestorer(self._stand_ins, json=json)
            self._said[event.choice] = type(event), restorer
        text = restorer.feed(event.text)
        match event:
            case TextDelta():
                ends, bears = event.signature is not None, bool(event.logprobs)
            case ReasoningDelta():
                ends, bears = event.signature is not None or event.encrypted is not None, False
            case RefusalDelta():
                ends, bears = False, False
        if ends:  # a signature comes with the last piece of its part
            text += self._close(self._said.pop(event.choice)[1])
        if text or ends or bears or not event.text:
            events.append(replace(event, text=text))
        return events

    def _end(self, choice: int) -> list[Event]:
        events = self._end_said(choice)
        for key in [key for key in self._calls if key[0] == choice]:
            rest = self._close(self._calls.pop(key))
            if rest:
                events.append(ToolCallDelta(call=key[1], arguments=rest, choice=choice))
        return events

    def _end_said(self, choice: int) -> list[Event]:
        if choice not in self._said:
            return []
        kind, restorer = self._said.pop(choice)
        rest = self._close(restorer)
        return [kind(text=rest, choice=choice)] if rest else []

    def _close(self, restorer: TextRestorer) -> str:
        rest = restorer.close()
        self._mangled += restorer.mangled
        return rest


_Said = TextDelta | ReasoningDelta | RefusalDelta


class TextRestorer:
    """Restores one text, given in pieces.

    Held back is only what may be the beginning of a stand-in: less than the longest one, as it may be written.
    """

    def __init__(self, pseudonyms: Pseudonyms | StandIns, *, json: bool = False) -> None:
        """Begin a text.

        Args:
            pseudonyms: those of the request that the text answers, when all of it has been replaced.
            json: the text is JSON: a stand-in may be written with escapes, and values are put in escaped.
        """
        self._stand_ins = pseudonyms if isinstance(pseudonyms, StandIns) else StandIns(pseudonyms)
        self._json = json
        self._held = ""
        self._watch = _Watch(self._stand_ins)

    @property
    def mangled(self) -> int:
        """Stand-ins that the model has mangled; complete when the text is closed."""
        return self._watch.count

    def feed(self, chunk: str) -> str:
        """What of the text is certain by now."""
        if not self._stand_ins.originals:
            return chunk
        return self._restore(chunk, last=False)

    def close(self) -> str:
        """The rest of the text."""
        rest = self._restore("", last=True)
        self._watch.close()
        return rest

    def _restore(self, chunk: str, *, last: bool) -> str:
        written = self._held + chunk
        text, offsets = _said_in_json(written, last=last) if self._json and "\\" in written else (written, None)
        out: list[str] = []
        at = 0
        while True:
            unsure = len(text) if last else self._stand_ins.unsure_from(text, at)
            start, end = self._stand_ins.next(text, at)
            if start >= unsure:
                break
            value = self._stand_ins.originals[text[start:end]]
            out.append(written[_offset(offsets, at) : _offset(offsets, start)])
            out.append(json.dumps(value, ensure_ascii=False)[1:-1] if self._json else value)
            at = end
        self._watch.feed(text[:unsure])
        until = _offset(offsets, unsure)
        out.append(written[_offset(offsets, at) : until])
        self._held = written[until:]
        return "".join(out)


def _offset(offsets: Sequence[int] | None, at: int) -> int:
    return at if offsets is None else offsets[at]


def _said_in_json(written: str, *, last: bool) -> tuple[str, list[int]]:
    """A JSON text without its escapes, and where each character of that stands as written, up to the end of the last.

    An escape that is cut off at the end is left off, unless this is the last of the text.
    """
    said: list[str] = []
    offsets: list[int] = []
    end = 0
    for unit in _JSON_UNIT.finditer(written):
        if unit.lastgroup == "cut" and not last:
            break
        end = unit.end()
        if unit.lastgroup == "plain":
            said.append(unit[0])
            offsets += range(unit.start(), end)
        else:
            hexadecimal = unit["hex"]
            said.append(
                chr(int(hexadecimal, 16))
                if hexadecimal
                else _SHORT_ESCAPES.get(unit[0][1:], "\N{REPLACEMENT CHARACTER}")
            )
            offsets.append(unit.start())
    return "".join(said), [*offsets, end]


_JSON_UNIT = re.compile(
    r"""(?P<plain> [^\\]+)
      | \\u (?P<hex> [0-9a-fA-F]{4})
      | (?P<cut> \\ (?:u [0-9a-fA-F]{0,3})? \Z)
      | \\ .""",
    re.VERBOSE | re.DOTALL,
)
_SHORT_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "/": "/"}


class StandIns:
    """The stand-ins of a request, as they are now, made ready to be looked for."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self.originals = dict(pseudonyms.originals)
        self._typed_codes = pseudonyms.typed_codes
        placeholders = [found for found in map(PLACEHOLDER.fullmatch, self.originals) if found is not None]
        self._codes = {placeholder["code"] for placeholder in placeholders}
        self._types = tuple({_squeezed(placeholder["type"]) for placeholder in placeholders})
        self._longest = max(map(len, self.originals), default=0)
        self._lengths: dict[str, set[int]] = {}
        for stand_in in self.originals:
            self._lengths.setdefault(stand_in[0], set()).add(len(stand_in))
        self._first = re.compile(f"[{re.escape(''.join(self._lengths))}]" if self._lengths else r"(?!)")
        self._beginnings = {each[:length] for each in self.originals for length in range(1, len(each))}

    def next(self, text: str, at: int) -> tuple[int, int]:
        """The first stand-in from there on; the end of the text if there is none. None is the beginning of another."""
        for first in self._first.finditer(text, at):
            start = first.start()
            for length in self._lengths[first[0]]:
                if (stand_in := text[start : start + length]) in self.originals:
                    return start, start + len(stand_in)
        return len(text), len(text)

    def unsure_from(self, text: str, at: int) -> int:
        """Where a stand-in may begin that is not all there yet; the end of the text if nowhere."""
        for start in range(max(at, len(text) - self._longest + 1), len(text)):
            if text[start:] in self._beginnings:
                return start
        return len(text)

    def mangled(self, text: str, start: int, end: int) -> bool:
        """Whether the digits there look like the code of a placeholder that a model has changed or invented.

        A code that was given out, behind its type or, after any bracket, behind any word, for types get translated; or
        in our brackets a code that was never given out and that no user has typed.
        """
        code = text[start:end]
        given_out = code in self._codes
        opened = _OPENED.search(text, max(0, start - BEFORE_CODE), start)
        closed = _CLOSED.match(text, end)
        if given_out:
            if opened is not None and closed is not None and text[opened.start() : closed.end()] in self.originals:
                return False
            return opened is not None or _squeezed(text[max(0, start - BEFORE_CODE) : start]).endswith(self._types)
        ours = opened is not None and opened[0].startswith("⟨") and closed is not None
        return ours and code not in self._typed_codes


BEFORE_CODE, BEHIND_CODE = 80, 16
"""Characters looked at before and behind a code."""
_OPENED = re.compile(
    r"(?:[⟨\u2329\u3008《<\[({«\u2039]|\\u27e8|&lt;|&lang;|&\#10216;)\s?[^\W\d]\w*[\W_]{0,2}\Z", re.IGNORECASE
)
_CLOSED = re.compile(r"[a-z]{0,3}\s?⟩")


def _squeezed(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).upper()


class _Watch:
    """Counts the mangled placeholders in a text that is given in pieces."""

    def __init__(self, stand_ins: StandIns) -> None:
        self.count = 0
        self._stand_ins = stand_ins
        self._text = ""
        self._seen = 0
        """Characters of it that have been looked at, and are there for what follows them."""

    def feed(self, text: str) -> None:
        self._text += text
        if len(self._text) >= _LOOK_AT:
            self._look(len(self._text) - _LONGEST_CODE - BEHIND_CODE)

    def close(self) -> None:
        self._look(len(self._text))

    def _look(self, until: int) -> None:
        for digits in _CODE.finditer(self._text, self._seen):
            if digits.start() >= until:
                break
            self.count += self._stand_ins.mangled(self._text, *digits.span())
        forgotten = max(0, until - BEFORE_CODE)
        self._text = self._text[forgotten:]
        self._seen = until - forgotten


_LOOK_AT = 4096
"""Characters: looking costs once per so many, not once per piece."""
_LONGEST_CODE = 12
_CODE = re.compile(rf"(?<![0-9])[0-9]{{4,{_LONGEST_CODE}}}(?![0-9])")
