"""Cache marks, both ways. Source: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching."""

from __future__ import annotations

from isthmus.dialects.fields import Fields
from isthmus.domain.message import CacheMark, Json


def decode_cache(fields: Fields) -> CacheMark | None:
    control = fields.inner("cache_control")
    if control is None:
        return None
    if control.text("type") != "ephemeral":
        raise control.wrong("type", "must be ephemeral")
    mark = CacheMark(ttl=control.text("ttl"))
    fields.put_back("cache_control", control)
    return mark


def cache_control(cache: CacheMark | None) -> dict[str, Json]:
    if cache is None:
        return {}
    return {"cache_control": {"type": "ephemeral"} | ({} if cache.ttl is None else {"ttl": cache.ttl})}
