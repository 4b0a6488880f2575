"""What only the servers of some models take beyond OpenAI's own form. OpenAI refuses fields it does not know.

Which server is behind an offer of this dialect is not known; the model's name tells well enough whose model it is.
"""

from __future__ import annotations

from dataclasses import replace

from isthmus.dialects.adapted import Adapted
from isthmus.domain.message import (
    CacheMark,
    CompletionRequest,
    Extra,
    Message,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)

_TAKE_MARKS = ("claude", "gemini")
"""Of these, `cache_control` is taken: https://openrouter.ai/docs/features/prompt-caching"""
_TAKES_PROOFS = "gemini"
"""Of these, `extra_content.google`: https://ai.google.dev/gemini-api/docs/thought-signatures"""


def taken_by(model: str, request: CompletionRequest, adapted: Adapted) -> CompletionRequest:
    """The request without what the model's server would refuse."""
    name = model.lower()
    if not any(one in name for one in _TAKE_MARKS):
        fresh = replace(
            request,
            messages=tuple(replace(one, parts=tuple(map(_unmarked, one.parts))) for one in request.messages),
            tools=tuple(replace(tool, cache=_kept(tool.cache, tool.extra)) for tool in request.tools),
        )
        if fresh != request:
            adapted.note("cache", "left out, the provider caches of its own accord")
        request = fresh
    if _TAKES_PROOFS not in name:
        fresh = replace(request, messages=tuple(map(_unproved, request.messages)))
        if fresh != request:
            adapted.note("message.signature", "left out, made by another provider")
        request = fresh
    return request


def _unmarked(part: Part) -> Part:
    return part if isinstance(part, Reasoning | Refusal) else replace(part, cache=_kept(part.cache, part.extra))


def _kept(cache: CacheMark | None, extra: Extra | None) -> CacheMark | None:
    """A mark in OpenAI's own form, which is among the extra fields."""
    return cache if extra is not None and "prompt_cache_breakpoint" in extra.fields else None


def _unproved(message: Message) -> Message:
    return replace(
        message,
        parts=tuple(
            replace(part, signature=None, minted_by=None) if isinstance(part, Text | ToolCall) else part
            for part in message.parts
        ),
    )
