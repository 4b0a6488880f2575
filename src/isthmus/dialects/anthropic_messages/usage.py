"""Usage as this dialect tells it, and reading it off a passing stream.

`input_tokens` leaves out what was read from and written to the cache; the domain's `input` is all of it.
Source: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching, "Tracking cache performance".
"""

from __future__ import annotations

import msgspec

from isthmus.dialects.anthropic_messages.faults import refusal
from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.counts import count, count_in
from isthmus.dialects.sse import Frame
from isthmus.domain.errors import UpstreamMalformed
from isthmus.domain.message import Json
from isthmus.domain.usage import Usage


class WireUsage(msgspec.Struct, omit_defaults=True):
    """Untyped, so that one count that cannot be read costs no other."""

    input_tokens: Json = None
    output_tokens: Json = None
    cache_read_input_tokens: Json = None
    cache_creation_input_tokens: Json = None
    output_tokens_details: Json = None
    cache_creation: Json = None
    """What was written to the cache, by how long it is kept."""
    server_tool_use: Json = None
    service_tier: Json = None

    def after(self, earlier: WireUsage) -> WireUsage:
        """These counts, and the earlier ones where these do not say: counts of a stream are cumulative."""
        told = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        return msgspec.structs.replace(earlier, **told)

    def details(self) -> dict[str, Json]:
        """What the domain's usage does not tell."""
        names = ("cache_creation", "server_tool_use", "service_tier")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def to_domain(self) -> Usage:
        cached, written = count(self.cache_read_input_tokens), count(self.cache_creation_input_tokens)
        output = count(self.output_tokens)
        return Usage(
            input=count(self.input_tokens) + cached + written,
            cached=cached,
            cache_written=written,
            output=output,
            reasoning=min(count_in(self.output_tokens_details, "thinking_tokens"), output),
        )


def from_domain(usage: Usage) -> WireUsage:
    return WireUsage(
        input_tokens=usage.input - usage.cached - usage.cache_written,
        output_tokens=usage.output,
        cache_read_input_tokens=usage.cached,
        cache_creation_input_tokens=usage.cache_written,
        output_tokens_details={"thinking_tokens": usage.reasoning} if usage.reasoning else None,
    )


class _Answer(msgspec.Struct):
    type: str | None = None
    content: list[msgspec.Raw] | None = None
    usage: WireUsage | None = None
    error: Json = None


class _Event(msgspec.Struct):
    type: str
    message: _Answer | None = None
    usage: WireUsage | None = None
    error: Json = None


_answer = msgspec.json.Decoder(_Answer)
_event = msgspec.json.Decoder(_Event)


def read_usage(body: bytes) -> Usage | None:
    """Usage of a whole answer; None where it tells none or is not of the dialect.

    Raises:
        UpstreamRefused: it is an error, told with a status that says otherwise.
        UpstreamMalformed: it is no message.
    """
    try:
        answer = _answer.decode(body)
    except UNREADABLE:
        return None
    if answer.type == "error":
        raise refusal({"error": answer.error})
    if answer.type != "message" or answer.content is None:
        raise UpstreamMalformed("The upstream's answer is no message.")
    return None if answer.usage is None else answer.usage.to_domain()


class EventReader:
    """Fulfils `Reader`: usage is part of every stream of this dialect, and all of it is for the client."""

    __slots__ = ("_complete", "_told")

    def __init__(self) -> None:
        self._told: WireUsage | None = None
        self._complete = False

    def tells(self, events: bytes) -> bool:
        return b'"usage"' in events or b'"message_stop"' in events or b'"error"' in events

    def read(self, frame: Frame) -> bool:
        try:
            event = _event.decode(frame.data)
        except UNREADABLE:
            return True
        if event.type == "error":
            raise refusal({"error": event.error})
        if event.type == "message_stop":
            self._complete = True
        told = event.usage if event.message is None else event.message.usage
        if told is not None and event.type in ("message_start", "message_delta"):
            self._told = told if self._told is None else told.after(self._told)
        return True

    @property
    def usage(self) -> Usage | None:
        return None if self._told is None else self._told.to_domain()

    @property
    def complete(self) -> bool:
        return self._complete
