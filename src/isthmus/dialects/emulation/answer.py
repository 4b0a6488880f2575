"""Reading what a constrained model wrote, as it comes in, back into text and tool calls.

A reader is fed the text of one choice in pieces, gives out what the client may be sent of it, and at the end the rest.
A whole answer is one piece: so it reads the same whole and streamed. What is not of the form that was asked for (the
model was cut off, the engine did not constrain it) is told as the text that it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

import msgspec

from isthmus.dialects.emulation.schema import WRAPPED
from isthmus.domain.message import ToolCall


class Reader(Protocol):
    """Reads one choice."""

    def feed(self, text: str) -> str:
        """What of the answer's text is certain by now."""
        ...

    def close(self) -> tuple[str, ToolCall | None]:
        """The rest of the text, and the tool call if the answer is one."""
        ...


class PlainReader:
    """The answer is as it is."""

    def feed(self, text: str) -> str:
        return text

    def close(self) -> tuple[str, ToolCall | None]:
        return "", None


class _Wrapped(msgspec.Struct):
    answer: msgspec.Raw = msgspec.field(name=WRAPPED)


class UnwrappingReader:
    """The answer is the one property of an object; kept until it is whole, for such answers are short."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def feed(self, text: str) -> str:
        self._pieces.append(text)
        return ""

    def close(self) -> tuple[str, ToolCall | None]:
        text = "".join(self._pieces)
        try:
            return bytes(msgspec.json.decode(text, type=_Wrapped).answer).decode(), None
        except (msgspec.MsgspecError, UnicodeError):
            return text, None


class _Union(msgspec.Struct):
    tool: str
    arguments: msgspec.Raw = msgspec.Raw()
    """Empty: not there. (`Raw | None` takes nothing but null.)"""
    reply: msgspec.Raw = msgspec.Raw()


class UnionReader:
    """The answer is a tool call, kept until it is whole, or a reply, whose text is given out as it comes."""

    def __init__(self, tools: frozenset[str], *, no_tool: str, reply_is_text: bool, new_id: Callable[[], str]) -> None:
        self._tools = tools
        self._no_tool = no_tool
        self._new_id = new_id
        self._text = ""
        self._reply: JsonString | None = None
        self._reply_is_text = reply_is_text
        self._may_be_reply = reply_is_text

    def feed(self, text: str) -> str:
        if self._reply is not None:
            return self._reply.feed(text)
        self._text += text
        if self._may_be_reply and (head := _REPLY.match(self._text, 0, _HEAD_LIMIT)) is not None:
            if _string(head[1]) == self._no_tool:
                self._reply = JsonString()
                return self._reply.feed(self._text[head.end() :])
            self._may_be_reply = False
        return ""

    def close(self) -> tuple[str, ToolCall | None]:
        if self._reply is not None:
            return "", None
        try:
            found = msgspec.json.decode(self._text, type=_Union)
        except (msgspec.MsgspecError, UnicodeError):
            return self._text, None
        arguments, reply = bytes(found.arguments).decode(), bytes(found.reply).decode()
        if found.tool in self._tools and arguments:
            return "", ToolCall(id=self._new_id(), name=found.tool, arguments=arguments)
        if found.tool == self._no_tool and reply:
            return _string(reply) if self._reply_is_text and reply.startswith('"') else reply, None
        return self._text, None


_HEAD_LIMIT = 512
"""Characters in which a reply must have begun to be given out as it comes: names of tools have at most 64."""
_STRING = r'"(?:[^"\\]|\\.)*"'
_REPLY = re.compile(rf'\s*\{{\s*"tool"\s*:\s*({_STRING})\s*,\s*"reply"\s*:\s*"', re.DOTALL)


def _string(literal: str) -> str:
    return JsonString().feed(literal[1:])


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
