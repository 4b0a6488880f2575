"""Usage as servers of this dialect tell it, and as we tell it to clients."""

from __future__ import annotations

import msgspec

from isthmus.dialects.complaint import UNREADABLE
from isthmus.dialects.counts import count, count_in
from isthmus.dialects.openai_chat.faults import refusal
from isthmus.domain.errors import UpstreamMalformed
from isthmus.domain.message import Json
from isthmus.domain.usage import Usage


class WireUsage(msgspec.Struct, omit_defaults=True):
    """Untyped, so that one count that cannot be read costs no other."""

    prompt_tokens: Json = None
    completion_tokens: Json = None
    total_tokens: Json = None
    prompt_tokens_details: Json = None
    completion_tokens_details: Json = None
    prompt_cache_hit_tokens: Json = None
    """DeepSeek's name for cached tokens: https://api-docs.deepseek.com/guides/kv_cache"""
    cached_tokens: Json = None
    """Moonshot's name for cached tokens."""

    def to_domain(self) -> Usage:
        """What was billed. Counts that contradict each other are read so that the parts fit their whole."""
        prompt, output = count(self.prompt_tokens), count(self.completion_tokens)
        cached = (
            count_in(self.prompt_tokens_details, "cached_tokens")
            or count(self.prompt_cache_hit_tokens)
            or count(self.cached_tokens)
        )
        written = count_in(self.prompt_tokens_details, "cache_write_tokens")
        heard = count_in(self.prompt_tokens_details, "audio_tokens")
        reasoning = count_in(self.completion_tokens_details, "reasoning_tokens")
        untold = count(self.total_tokens) - prompt - output
        if heard and untold == heard:  # Mistral counts sound beside the prompt
            prompt += untold
            untold = 0
        # xAI counts reasoning beside the completion, not in it; its total tells (docs.x.ai, reasoning).
        if reasoning > output or (reasoning and untold == reasoning):
            output += reasoning
        elif not reasoning and untold > 0:  # Google's endpoint of this dialect tells thoughts in the total alone
            reasoning = untold
            output += untold
        cached = min(cached, prompt)
        return Usage(
            input=prompt,
            cached=cached,
            cache_written=min(written, prompt - cached),
            output=output,
            reasoning=reasoning,
            audio_input=min(heard, prompt),
            audio_output=min(count_in(self.completion_tokens_details, "audio_tokens"), output),
        )


class _Choice(msgspec.Struct):
    index: Json = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: WireUsage | None = None
    error: Json = None


_answer = msgspec.json.Decoder(_Answer)


def read_usage(body: bytes) -> Usage | None:
    """Usage of a whole answer; None where it tells none or is not of the dialect.

    Raises:
        UpstreamRefused: it is an error, told with a status that says otherwise.
        UpstreamMalformed: it has no choice.
    """
    try:
        answer = _answer.decode(body)
    except UNREADABLE:
        return None
    if not answer.choices:
        if answer.error:
            raise refusal({"error": answer.error})
        raise UpstreamMalformed("The upstream's answer has no choice.")
    return None if answer.usage is None else answer.usage.to_domain()


def from_domain(usage: Usage) -> WireUsage:
    return WireUsage(
        prompt_tokens=usage.input,
        completion_tokens=usage.output,
        total_tokens=usage.input + usage.output,
        prompt_tokens_details={"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_written}
        | _audio(usage.audio_input),
        completion_tokens_details={"reasoning_tokens": usage.reasoning} | _audio(usage.audio_output),
    )


def _audio(tokens: int) -> dict[str, Json]:
    return {"audio_tokens": tokens} if tokens else {}
