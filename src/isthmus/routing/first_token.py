"""When a stream has shown something: until then another offer may take over, and nobody notices.

Streams begin with events that say nothing yet: that an answer begins, whose role it is, an empty text. What counts is
the first token: a piece of text, of thought, of a refusal or of a tool call, or the answer's end.
"""

from __future__ import annotations

import re

from isthmus.dialects.dialect import Dialect, StreamDecoder
from isthmus.domain.message import Event, ReasoningDelta, RefusalDelta, Started, TextDelta, ToolCallDelta, Used

_SAYS = re.compile(rb'"(?:content|text|reasoning_content|reasoning|thinking|delta|partial_json|refusal)"\s*:\s*"[^"]')
"""A token, as every dialect spells one. Text cannot hold this: its quotes are escaped."""

_CONTENT = b'"content":"'

DECODED_FROM = 4
"""Pieces without a visible token after which they are decoded."""
HELD_LIMIT = 1024 * 1024
"""Bytes of a stream that shows nothing before it is let through nevertheless."""


def shows(event: Event) -> bool:
    """Whether an event tells the client something of the answer."""
    match event:
        case Started() | Used():
            return False
        case TextDelta() | RefusalDelta():
            return bool(event.text)
        case ReasoningDelta():
            return bool(event.text or event.encrypted)
        case ToolCallDelta():
            return bool(event.arguments)
        case _:
            return True


class FirstToken:
    """Looks for the first token in a passing stream of one dialect."""

    __slots__ = ("_decoder", "_dialect", "_held", "_size")

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._decoder: StreamDecoder | None = None
        self._held: list[bytes] = []
        """Not decoded yet."""
        self._size = 0

    def is_in(self, events: bytes) -> bool:
        """Whether it is in the next whole events of the stream. Not to be asked again once it was found.

        What the pattern does not see (a call without arguments, the end of an answer without a word) the decoder does,
        when some pieces have passed: it costs ten times as much, and nearly always the next piece has text.

        Raises:
            ProviderError: the events are not of the dialect.
        """
        at = events.find(_CONTENT) + len(_CONTENT)  # the commonest by far, and quicker to find than by the pattern
        if at >= len(_CONTENT) and events[at : at + 1] != b'"':
            return True
        if _SAYS.search(events) is not None:
            return True
        self._size += len(events)
        if self._size > HELD_LIMIT:
            return True
        self._held.append(events)
        if self._decoder is None:
            if len(self._held) < DECODED_FROM:
                return False
            self._decoder = self._dialect.stream_decoder()
        held = b"".join(self._held)
        self._held.clear()
        return any(map(shows, self._decoder.feed(held)))
