"""Cache marks, in the two forms that servers of this dialect take, both ways."""

from __future__ import annotations

from isthmus.dialects.fields import Fields
from isthmus.domain.message import CacheMark, Extra, Json


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
