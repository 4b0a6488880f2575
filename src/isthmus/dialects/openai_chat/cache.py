"""Cache marks, in the two forms that servers of this dialect take, both ways."""

from __future__ import annotations

from dataclasses import replace

from isthmus.dialects.adapted import Adapted
from isthmus.dialects.fields import Fields
from isthmus.domain.message import CacheMark, CompletionRequest, Extra, Json, Message, Part, Reasoning, Refusal

_TAKES_MARKS = "claude"
"""In the name of every model for which services of this dialect take `cache_control`; OpenAI's own refuses it."""


def marked_for(model: str, request: CompletionRequest, adapted: Adapted) -> CompletionRequest:
    """The request with the cache marks that the model's server takes: its own, where it knows any.

    Source: https://openrouter.ai/docs/features/prompt-caching; OpenAI caches of its own accord.
    """
    if _TAKES_MARKS in model.lower():
        return request
    fresh = replace(
        request,
        messages=tuple(map(_unmarked_message, request.messages)),
        tools=tuple(replace(tool, cache=_kept(tool.cache, tool.extra)) for tool in request.tools),
    )
    if fresh == request:
        return request
    adapted.note("cache", "left out, the provider caches of its own accord")
    return fresh


def _unmarked_message(message: Message) -> Message:
    return replace(message, parts=tuple(map(_unmarked, message.parts)))


def _unmarked(part: Part) -> Part:
    return part if isinstance(part, Reasoning | Refusal) else replace(part, cache=_kept(part.cache, part.extra))


def _kept(cache: CacheMark | None, extra: Extra | None) -> CacheMark | None:
    """A mark in OpenAI's own form, which is among the extra fields."""
    return cache if extra is not None and "prompt_cache_breakpoint" in extra.fields else None


def decode_cache(fields: Fields) -> CacheMark | None:
    """A cache mark in either of its two forms.

    `cache_control` is what OpenRouter and other services in front of Claude take; `prompt_cache_breakpoint` is OpenAI's
    own. The latter stays among the extra fields as well, so that it returns in the same form.
    """
    if (breakpoint_ := fields.rest.get("prompt_cache_breakpoint")) is not None:
        inner = Fields(breakpoint_, fields.at("prompt_cache_breakpoint"))
        return CacheMark(ttl=inner.text("ttl"))
    if (control := fields.inner("cache_control")) is None:
        return None
    if control.text("type") != "ephemeral":
        raise control.wrong("type", "must be ephemeral")
    mark = CacheMark(ttl=control.text("ttl"))
    fields.put_back("cache_control", control)
    return mark


def cache_fields(cache: CacheMark | None, extra: Extra | None) -> dict[str, Json]:
    if cache is None or (extra is not None and "prompt_cache_breakpoint" in extra.fields):
        return {}
    control: dict[str, Json] = {"type": "ephemeral"}
    if cache.ttl is not None:
        control["ttl"] = cache.ttl
    return {"cache_control": control}
