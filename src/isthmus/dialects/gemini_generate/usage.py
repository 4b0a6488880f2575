"""Usage as this dialect tells it, and reading it off a passing stream.

Thoughts are counted beside the candidates, and what server-side tools read beside the prompt; the domain's `output` and
`input` are all of it. Source: <https://ai.google.dev/api/generate-content#UsageMetadata>.
"""

from __future__ import annotations

import msgspec

from isthmus.dialects.sse import Frame, Frames
from isthmus.domain.errors import IsthmusError
from isthmus.domain.usage import Usage


class WireUsage(msgspec.Struct, rename="camel", omit_defaults=True):
    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    total_token_count: int | None = None

    def to_domain(self) -> Usage:
        prompt = max(self.prompt_token_count or 0, 0)
        thoughts = max(self.thoughts_token_count or 0, 0)
        return Usage(
            input=prompt + max(self.tool_use_prompt_token_count or 0, 0),
            cached=min(max(self.cached_content_token_count or 0, 0), prompt),
            output=max(self.candidates_token_count or 0, 0) + thoughts,
            reasoning=thoughts,
        )


def from_domain(usage: Usage) -> WireUsage:
    return WireUsage(
        prompt_token_count=usage.input,
        cached_content_token_count=usage.cached or None,
        candidates_token_count=usage.output - usage.reasoning,
        thoughts_token_count=usage.reasoning or None,
        total_token_count=usage.input + usage.output,
    )


class _Candidate(msgspec.Struct, rename="camel"):
    finish_reason: str | None = None


class _Answer(msgspec.Struct, rename="camel"):
    usage_metadata: WireUsage | None = None
    candidates: list[_Candidate] | None = None
    prompt_feedback: dict[str, msgspec.Raw] | None = None


_answer = msgspec.json.Decoder(_Answer)


def _read(body: bytes) -> _Answer | None:
    try:
        return _answer.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def read_usage(body: bytes) -> Usage | None:
    """Usage of a whole answer; None where it tells none or is not of the dialect."""
    answer = _read(body)
    return None if answer is None or answer.usage_metadata is None else answer.usage_metadata.to_domain()


class Watch:
    """Every byte passes as it came: usage is part of every stream of this dialect."""

    __slots__ = ("_complete", "_frames", "_lost", "_usage")

    def __init__(self) -> None:
        self._frames = Frames()
        self._usage: Usage | None = None
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
        return self._usage

    @property
    def complete(self) -> bool:
        """The dialect has no end marker: an answer is whole when a candidate has its reason to finish."""
        return self._complete

    def _look(self, frames: list[Frame]) -> None:
        for frame in frames:
            answer = _read(frame.data)
            if answer is None:
                continue
            if answer.usage_metadata is not None:
                self._usage = answer.usage_metadata.to_domain()
            if answer.prompt_feedback is not None or any(one.finish_reason for one in answer.candidates or ()):
                self._complete = True
