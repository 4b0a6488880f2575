"""Usage as this dialect tells it, and reading it off a passing stream.

Thoughts are counted beside the candidates, and what server-side tools read beside the prompt; the domain's `output` and
`input` are all of it. Source: <https://ai.google.dev/api/generate-content#UsageMetadata>.
"""

from __future__ import annotations

import msgspec

from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.counts import count, count_in
from isthmus.dialects.gemini_generate.faults import refusal
from isthmus.dialects.sse import Frame
from isthmus.domain.errors import UpstreamMalformed
from isthmus.domain.message import Json
from isthmus.domain.usage import Usage

_SOUND = "AUDIO"


class WireUsage(msgspec.Struct, rename="camel", omit_defaults=True):
    prompt_token_count: Json = None
    cached_content_token_count: Json = None
    candidates_token_count: Json = None
    thoughts_token_count: Json = None
    tool_use_prompt_token_count: Json = None
    total_token_count: Json = None
    prompt_tokens_details: Json = None
    tool_use_prompt_tokens_details: Json = None
    candidates_tokens_details: Json = None

    def to_domain(self) -> Usage:
        prompt = count(self.prompt_token_count)
        read = prompt + count(self.tool_use_prompt_token_count)
        thoughts = count(self.thoughts_token_count)
        said = count(self.candidates_token_count)
        heard = _sound(self.prompt_tokens_details) + _sound(self.tool_use_prompt_tokens_details)
        return Usage(
            input=read,
            cached=min(count(self.cached_content_token_count), prompt),
            output=said + thoughts,
            reasoning=thoughts,
            audio_input=min(heard, read),
            audio_output=min(_sound(self.candidates_tokens_details), said),
        )


def _sound(details: Json) -> int:
    """Tokens of sound in a list of counts by modality."""
    if not isinstance(details, list):
        return 0
    return sum(
        count_in(one, "tokenCount") for one in details if isinstance(one, dict) and one.get("modality") == _SOUND
    )


def _by_modality(whole: int, sound: int) -> Json:
    if not sound:
        return None
    counts = {"TEXT": whole - sound, _SOUND: sound}
    return [{"modality": name, "tokenCount": tokens} for name, tokens in counts.items() if tokens > 0]


def from_domain(usage: Usage) -> WireUsage:
    said = usage.output - usage.reasoning
    return WireUsage(
        prompt_tokens_details=_by_modality(usage.input, usage.audio_input),
        candidates_tokens_details=_by_modality(said, usage.audio_output),
        prompt_token_count=usage.input,
        cached_content_token_count=usage.cached or None,
        candidates_token_count=said,
        thoughts_token_count=usage.reasoning or None,
        total_token_count=usage.input + usage.output,
    )


class _Candidate(msgspec.Struct, rename="camel"):
    finish_reason: str | None = None


class _Answer(msgspec.Struct, rename="camel"):
    usage_metadata: WireUsage | None = None
    candidates: list[_Candidate] | None = None
    prompt_feedback: dict[str, msgspec.Raw] | None = None
    error: Json = None


_answer = msgspec.json.Decoder(_Answer)


def read_usage(body: bytes) -> Usage | None:
    """Usage of a whole answer; None where it tells none or is not of the dialect.

    Raises:
        UpstreamRefused: it is an error, told with a status that says otherwise.
        UpstreamMalformed: it has no candidate, and no reason why.
    """
    try:
        answer = _answer.decode(body)
    except UNREADABLE:
        return None
    if not answer.candidates:
        if answer.error:
            raise refusal({"error": answer.error})
        if not answer.prompt_feedback:
            raise UpstreamMalformed("The upstream's answer has no candidate.")
    return None if answer.usage_metadata is None else answer.usage_metadata.to_domain()


class EventReader:
    """Fulfils `Reader`: every event is a whole answer in itself, with usage, and all of it is for the client."""

    __slots__ = ("_complete", "_usage")

    def __init__(self) -> None:
        self._usage: Usage | None = None
        self._complete = False

    def tells(self, events: bytes) -> bool:
        return bool(events)

    def read(self, frame: Frame) -> bool:
        try:
            answer = _answer.decode(frame.data)
        except UNREADABLE:
            return True
        if answer.error:
            raise refusal({"error": answer.error})
        if answer.usage_metadata is not None:
            self._usage = answer.usage_metadata.to_domain()
        if answer.prompt_feedback is not None or any(one.finish_reason for one in answer.candidates or ()):
            self._complete = True
        return True

    @property
    def usage(self) -> Usage | None:
        return self._usage

    @property
    def complete(self) -> bool:
        """The dialect has no end marker: an answer is whole when a candidate has its reason to finish."""
        return self._complete
