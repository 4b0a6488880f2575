"""Usage as this dialect tells it, and reading it off a passing stream.

`input_tokens` leaves out what was read from and written to the cache; the domain's `input` is all of it.
Source: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching, "Tracking cache performance".
"""

from __future__ import annotations

import msgspec

from isthmus.dialects.sse import Frame, Frames
from isthmus.domain.errors import IsthmusError
from isthmus.domain.usage import Usage


class OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class WireUsage(msgspec.Struct, omit_defaults=True):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: OutputDetails | None = None

    def after(self, earlier: WireUsage) -> WireUsage:
        """These counts, and the earlier ones where these do not say: counts of a stream are cumulative."""
        told = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        return msgspec.structs.replace(earlier, **told)

    def to_domain(self) -> Usage:
        cached, written = max(self.cache_read_input_tokens or 0, 0), max(self.cache_creation_input_tokens or 0, 0)
        output = max(self.output_tokens or 0, 0)
        details = self.output_tokens_details
        return Usage(
            input=max(self.input_tokens or 0, 0) + cached + written,
            cached=cached,
            cache_written=written,
            output=output,
            reasoning=min(max(0 if details is None else details.thinking_tokens or 0, 0), output),
        )


def from_domain(usage: Usage) -> WireUsage:
    return WireUsage(
        input_tokens=usage.input - usage.cached - usage.cache_written,
        output_tokens=usage.output,
        cache_read_input_tokens=usage.cached,
        cache_creation_input_tokens=usage.cache_written,
        output_tokens_details=OutputDetails(thinking_tokens=usage.reasoning) if usage.reasoning else None,
    )


class _Answer(msgspec.Struct):
    usage: WireUsage | None = None


class _Event(msgspec.Struct):
    type: str
    message: _Answer | None = None
    usage: WireUsage | None = None


_answer = msgspec.json.Decoder(_Answer)
_event = msgspec.json.Decoder(_Event)


def read_usage(body: bytes) -> Usage | None:
    """Usage of a whole answer; None where it tells none or is not of the dialect."""
    try:
        told = _answer.decode(body).usage
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return None if told is None else told.to_domain()


class Watch:
    """Every byte passes as it came: usage is part of every stream of this dialect."""

    __slots__ = ("_complete", "_frames", "_lost", "_told")

    def __init__(self) -> None:
        self._frames = Frames()
        self._told: WireUsage | None = None
        self._complete = False
        self._lost = False

    def feed(self, data: bytes) -> bytes:
        if not self._lost:
            try:
                self._look(self._frames.feed(data))
            except IsthmusError:  # too large an event: it passes all the same, and we read no further
                self._lost = True
        return data

    def close(self) -> bytes:
        self._look(self._frames.close())
        return b""

    @property
    def usage(self) -> Usage | None:
        return None if self._told is None else self._told.to_domain()

    @property
    def complete(self) -> bool:
        return self._complete

    def _look(self, frames: list[Frame]) -> None:
        for frame in frames:
            if b'"usage"' not in frame.data and b'"message_stop"' not in frame.data:
                continue
            try:
                event = _event.decode(frame.data)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            told = event.usage if event.message is None else event.message.usage
            if event.type == "message_stop":
                self._complete = True
            elif told is not None and event.type in ("message_start", "message_delta"):
                self._told = told if self._told is None else told.after(self._told)
