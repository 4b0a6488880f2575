"""Reading what a constrained model wrote, as it comes in, back into text and tool calls.

A reader is fed the text of one choice in pieces and gives out what is certain of it; a whole answer is one piece: so it
reads the same whole and streamed. What is not of the form that was asked for (the engine did not constrain it) is told
as the text that it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import msgspec

from isthmus.dialects.emulation.schema import ARGUMENTS, CALLS, REPLY, TOOL, WRAPPED


@dataclass(frozen=True, slots=True)
class Said:
    """Text for the client."""

    text: str


@dataclass(frozen=True, slots=True)
class Called:
    """A tool call begins."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Argued:
    """More of the arguments of the call that began last."""

    json: str


Piece: TypeAlias = Said | Called | Argued


class Reader(Protocol):
    """Reads one choice."""

    def feed(self, text: str) -> list[Piece]:
        """What is certain by now."""
        ...

    def close(self) -> list[Piece]:
        """The rest."""
        ...

    @property
    def called(self) -> bool:
        """Whether there are tool calls, and all that the model wrote is whole: no more was to come."""
        ...

    @property
    def stopped(self) -> str | None:
        """The stop text that ended a reply here; None: none did."""
        ...


class PlainReader:
    """The answer is as it is."""

    called = False
    stopped = None

    def feed(self, text: str) -> list[Piece]:
        return [Said(text)] if text else []

    def close(self) -> list[Piece]:
        return []


class _Wrapped(msgspec.Struct):
    answer: msgspec.Raw = msgspec.field(name=WRAPPED)


class UnwrappingReader:
    """The answer is the one property of an object; kept until it is whole, for such answers are short."""

    called = False
    stopped = None

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def feed(self, text: str) -> list[Piece]:
        self._pieces.append(text)
        return []

    def close(self) -> list[Piece]:
        text = "".join(self._pieces)
        try:
            return [Said(bytes(msgspec.json.decode(text, type=_Wrapped).answer).decode())]
        except (msgspec.MsgspecError, UnicodeError):
            return [Said(text)] if text else []


_HEAD_LIMIT = 512
"""Characters in which a call or a reply must have begun: names of tools have at most 64."""
_STRING = r'"(?:[^"\\]|\\.)*"'
_REPLY = re.compile(rf'\s*\{{\s*"{REPLY}"\s*:\s*(?=\S)', re.DOTALL)
_LIST = re.compile(rf'\s*\{{\s*"{CALLS}"\s*:\s*\[')
_CALL = re.compile(rf'\s*\{{\s*"{TOOL}"\s*:\s*({_STRING})\s*,\s*"{ARGUMENTS}"\s*:\s*(?=\{{)', re.DOTALL)
_END_OF_CALL = re.compile(r"\s*\}\s*(?=\S)")


class UnionReader:
    """The answer is tool calls, or a reply; both are given out as they are written.

    Args:
        tools: names of those that may be called.
        listed: whether calls come in a list, of one or more.
        reply_is_text: whether a reply is a string, to be told without its quotes; else it is told as the JSON it is.
        stop: texts of which the first ends a reply. The engine cannot be told of them: they would cut calls too.
        new_id: makes the ids of calls.
    """

    def __init__(
        self,
        tools: frozenset[str],
        *,
        listed: bool,
        reply_is_text: bool,
        stop: Sequence[str],
        new_id: Callable[[], str],
    ) -> None:
        self._tools = tools
        self._listed = listed
        self._reply_is_text = reply_is_text
        self._new_id = new_id
        self._text = ""
        """What has not been made out yet."""
        self._read = self._read_head
        self._value = JsonValue()
        self._string = JsonString()
        self._until = Until(stop)
        self._began = False
        self._whole = False

    @property
    def called(self) -> bool:
        return self._began and self._whole

    @property
    def stopped(self) -> str | None:
        return self._until.found

    def feed(self, text: str) -> list[Piece]:
        self._text += text
        pieces: list[Piece] = []
        while self._text and self._read(pieces):
            pass
        return pieces

    def close(self) -> list[Piece]:
        # What nothing was made out of is none of the forms; what follows a call or a reply is only their end.
        rest = self._text if self._read == self._read_head else self._until.close()
        return [Said(rest)] if rest else []

    # Each reads what it can of the text, and returns whether there is more to be read of it now.

    def _read_head(self, pieces: list[Piece]) -> bool:
        if (head := _REPLY.match(self._text, 0, _HEAD_LIMIT)) is not None:
            text = self._reply_is_text and self._text[head.end()] == '"'
            self._text = self._text[head.end() + text :]
            self._read = self._read_reply_text if text else self._read_reply_json
            return True
        at = 0
        if self._listed:
            if (opened := _LIST.match(self._text, 0, _HEAD_LIMIT)) is None:
                return self._give_up()
            at = opened.end()
        return self._read_call(pieces, at, _HEAD_LIMIT) or self._give_up()

    def _give_up(self) -> bool:
        if len(self._text) < _HEAD_LIMIT:
            return False
        self._read = self._read_text
        return True

    def _read_call(self, pieces: list[Piece], at: int, limit: int) -> bool:
        head = _CALL.match(self._text, at, limit)
        if head is None or (name := _unquoted(head[1])) not in self._tools:
            return False
        pieces.append(Called(self._new_id(), name))
        self._text = self._text[head.end() :]
        self._began = True
        self._value = JsonValue()
        self._read = self._read_arguments
        return True

    def _read_arguments(self, pieces: list[Piece]) -> bool:
        end = self._value.end_in(self._text)
        written, self._text = (self._text, "") if end is None else (self._text[:end], self._text[end:])
        pieces.append(Argued(written))
        if end is not None:
            self._whole = not self._listed
            self._read = self._read_next if self._listed else self._read_nothing
        return True

    def _read_next(self, pieces: list[Piece]) -> bool:
        ended = _END_OF_CALL.match(self._text)
        if ended is None:
            return False
        if self._text[ended.end()] == ",":
            return self._read_call(pieces, ended.end() + 1, len(self._text))
        self._whole = self._text[ended.end()] == "]"
        self._read = self._read_nothing
        return True

    def _read_reply_text(self, pieces: list[Piece]) -> bool:
        text, self._text = self._until.feed(self._string.feed(self._text)), ""
        if text:
            pieces.append(Said(text))
        return False

    def _read_reply_json(self, pieces: list[Piece]) -> bool:
        end = self._value.end_in(self._text)
        written, self._text = (self._text, "") if end is None else (self._text[:end], self._text[end:])
        if written:
            pieces.append(Said(written))
        if end is not None:
            self._read = self._read_nothing
        return True

    def _read_text(self, pieces: list[Piece]) -> bool:
        pieces.append(Said(self._text))
        self._text = ""
        return False

    def _read_nothing(self, pieces: list[Piece]) -> bool:
        del pieces
        self._text = ""
        return False


class Until:
    """Lets text pass up to the first of some stop texts."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(text for text in stop if text)
        self._kept = ""
        self.found: str | None = None

    def feed(self, text: str) -> str:
        """What is certain to come before any of them."""
        if self.found is not None or not self._stop:
            return "" if self.found is not None else text
        text = self._kept + text
        places = [(at, stop) for stop in self._stop if (at := text.find(stop)) >= 0]
        if places:
            at, self.found = min(places)
            self._kept = ""
            return text[:at]
        # The longest end of the text with which one of them may begin.
        held = max(
            (length for stop in self._stop for length in range(1, len(stop)) if text.endswith(stop[:length])), default=0
        )
        self._kept = text[len(text) - held :]
        return text[: len(text) - held]

    def close(self) -> str:
        kept, self._kept = self._kept, ""
        return kept


def _unquoted(literal: str) -> str:
    return JsonString().feed(literal[1:])


class JsonValue:
    """Finds the end of a JSON value that comes in pieces, by its brackets and quotes."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._begun = False

    def end_in(self, text: str) -> int | None:
        """Where in the next piece the value ends; None: not in it."""
        at = 0
        while at < len(text):
            char = text[at]
            at += 1
            if self._in_string:
                if self._escaped:
                    self._escaped = False
                elif char == "\\":
                    self._escaped = True
                elif char == '"':
                    self._in_string = False
                    if not self._depth:
                        return at
            elif char == '"':
                self._in_string = self._begun = True
            elif char in "{[":
                self._depth += 1
                self._begun = True
            elif char in "}]":
                if not self._depth:  # the bracket around a bare value
                    return at - 1
                self._depth -= 1
                if not self._depth:
                    return at
            elif not self._depth and self._begun and char in ", \t\r\n":
                return at - 1
            else:
                self._begun = True
        return None


class JsonString:
    """Reads a JSON string in pieces, from behind its opening quote to its closing one; what comes after is left."""

    _WHOLE = re.compile(
        r"""(?: [^"\\]
              | \\ ["\\/bfnrt]
              | \\u [dD][89abAB][0-9a-fA-F]{2} \\u [dD][c-fC-F][0-9a-fA-F]{2}   # a pair makes one character
              | \\u (?![dD][89a-fA-F]) [0-9a-fA-F]{4}
            )*""",
        re.VERBOSE,
    )
    _LONGEST_ESCAPE = len(r"\ud83d\ude00")

    def __init__(self) -> None:
        self._kept = ""
        self._over = False

    def feed(self, text: str) -> str:
        """The characters that are certain by now."""
        if self._over:
            return ""
        text = self._kept + text
        out: list[str] = []
        at = 0
        while True:
            whole = self._WHOLE.match(text, at)
            assert whole is not None  # it matches the empty string too
            out.append(_decoded(whole[0]))
            at = whole.end()
            if text.startswith('"', at):
                self._over = True
                return "".join(out)
            if len(text) - at < self._LONGEST_ESCAPE:
                self._kept = text[at:]
                return "".join(out)
            # Half of a pair, or no escape at all: a model may write anything where nothing holds it.
            out.append("\N{REPLACEMENT CHARACTER}")
            at += _length_of_bad_escape(text, at)


def _decoded(literal: str) -> str:
    if "\\" not in literal:
        return literal
    return _ESCAPE.sub(lambda found: _character(found[0]), literal)


_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{4}(?:(?<=\\u[dD][89abAB][0-9a-fA-F]{2})\\u[0-9a-fA-F]{4})?|\\.")
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _character(escape: str) -> str:
    if escape[1] != "u":
        return _SHORT.get(escape[1], escape[1])
    units = [int(unit, 16) for unit in escape.split("\\u")[1:]]
    if len(units) == 1:
        return chr(units[0])
    return chr(0x10000 + ((units[0] - 0xD800) << 10) + (units[1] - 0xDC00))


_HALF = re.compile(r"\\u[0-9a-fA-F]{4}")


def _length_of_bad_escape(text: str, at: int) -> int:
    return len(r"\ud83d") if _HALF.match(text, at) else len(r"\x")
