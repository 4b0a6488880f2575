"""Usage as servers of this dialect tell it, and as we tell it to clients."""

from __future__ import annotations

import msgspec

from isthmus.dialects.complaint import UNREADABLE
from isthmus.domain.usage import Usage


class PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class WireUsage(msgspec.Struct, omit_defaults=True):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    """DeepSeek's name for cached tokens: https://api-docs.deepseek.com/guides/kv_cache"""
    cached_tokens: int | None = None
    """Moonshot's name for cached tokens."""

    def to_domain(self) -> Usage:
        """What was billed. Counts that contradict each other are read so that the parts fit their whole."""
        prompt = max(self.prompt_tokens or 0, 0)
        output = max(self.completion_tokens or 0, 0)
        cached = self.prompt_cache_hit_tokens or self.cached_tokens or 0
        written = reasoning = 0
        if (details := self.prompt_tokens_details) is not None:
            cached = details.cached_tokens or cached
            written = max(details.cache_write_tokens or 0, 0)
        if self.completion_tokens_details is not None:
            reasoning = max(self.completion_tokens_details.reasoning_tokens or 0, 0)
            # xAI counts reasoning beside the completion, not in it; its total tells (docs.x.ai, reasoning).
            if reasoning > output or (reasoning and self.total_tokens == prompt + output + reasoning):
                output += reasoning
        cached = min(max(cached, 0), prompt)
        return Usage(
            input=prompt,
            cached=cached,
            cache_written=min(written, prompt - cached),
            output=output,
            reasoning=reasoning,
        )


class _Answer(msgspec.Struct):
    usage: WireUsage | None = None


_answer = msgspec.json.Decoder(_Answer)


def read_usage(body: bytes) -> Usage | None:
    """Usage of a whole answer; None where it tells none or is not of the dialect."""
    try:
        told = _answer.decode(body).usage
    except UNREADABLE:
        return None
    return None if told is None else told.to_domain()


def from_domain(usage: Usage) -> WireUsage:
    return WireUsage(
        prompt_tokens=usage.input,
        completion_tokens=usage.output,
        total_tokens=usage.input + usage.output,
        prompt_tokens_details=PromptDetails(cached_tokens=usage.cached, cache_write_tokens=usage.cache_written),
        completion_tokens_details=CompletionDetails(reasoning_tokens=usage.reasoning),
    )
