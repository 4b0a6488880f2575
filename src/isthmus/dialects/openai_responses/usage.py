"""Usage as servers of this dialect tell it, and as we tell it to clients."""

from __future__ import annotations

import msgspec

from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.counts import count, count_in
from isthmus.dialects.openai_responses.faults import refusal
from isthmus.domain.errors import UpstreamMalformed
from isthmus.domain.message import Json
from isthmus.domain.usage import Usage


class WireUsage(msgspec.Struct, omit_defaults=True):
    """Untyped, so that one count that cannot be read costs no other."""

    input_tokens: Json = None
    input_tokens_details: Json = None
    output_tokens: Json = None
    output_tokens_details: Json = None
    total_tokens: Json = None

    def to_domain(self) -> Usage:
        """What was billed. Counts that contradict each other are read so that the parts fit their whole."""
        told, output = count(self.input_tokens), count(self.output_tokens)
        cached = min(count_in(self.input_tokens_details, "cached_tokens"), told)
        written = min(count_in(self.input_tokens_details, "cache_write_tokens"), told - cached)
        reasoning = count_in(self.output_tokens_details, "reasoning_tokens")
        return Usage(
            input=told,
            cached=cached,
            cache_written=written,
            output=max(output, reasoning),
            reasoning=reasoning,
            audio_input=min(count_in(self.input_tokens_details, "audio_tokens"), told),
            audio_output=min(count_in(self.output_tokens_details, "audio_tokens"), output),
        )


def from_domain(usage: Usage) -> WireUsage:
    """The counts that the API tells; those of sound only where there are any, for they are not among them."""
    heard = {"audio_tokens": usage.audio_input} if usage.audio_input else {}
    spoken = {"audio_tokens": usage.audio_output} if usage.audio_output else {}
    return WireUsage(
        input_tokens=usage.input,
        input_tokens_details={"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_written} | heard,
        output_tokens=usage.output,
        output_tokens_details={"reasoning_tokens": usage.reasoning} | spoken,
        total_tokens=usage.input + usage.output,
    )


class _Answer(msgspec.Struct):
    status: str | None = None
    output: list[msgspec.Raw] | None = None
    usage: WireUsage | None = None
    error: Json = None


_answer = msgspec.json.Decoder(_Answer)


def read_usage(body: bytes) -> Usage | None:
    """Usage of a whole answer; None where it tells none or is not of the dialect.

    Raises:
        UpstreamRefused: it is an error, told with a status that says otherwise.
        UpstreamMalformed: it has no output.
    """
    try:
        answer = _answer.decode(body)
    except UNREADABLE:
        return None
    if answer.error or answer.status == "failed":
        raise refusal({"error": answer.error})
    if answer.output is None:
        raise UpstreamMalformed("The upstream's answer has no output.")
    return None if answer.usage is None else answer.usage.to_domain()
