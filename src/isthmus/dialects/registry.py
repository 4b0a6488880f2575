"""The dialects by name."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from isthmus.dialects.dialect import Dialect
from isthmus.domain.errors import ConfigError

_WHERE = {
    "openai-chat": ("isthmus.dialects.openai_chat", "OPENAI_CHAT"),
    "anthropic-messages": ("isthmus.dialects.anthropic_messages", "ANTHROPIC_MESSAGES"),
    "gemini-generate": ("isthmus.dialects.gemini_generate", "GEMINI_GENERATE"),
}

NAMES = tuple(_WHERE)
"""Every dialect there is."""

_loaded: dict[str, Dialect] = {}


def dialect_of(name: str) -> Dialect:
    """The dialect of that name. Its module is imported when it is first asked for.

    Raises:
        ConfigError: there is none of that name.
    """
    if (known := _loaded.get(name)) is not None:
        return known
    if name not in _WHERE:
        raise ConfigError(f"There is no dialect {name!r}.", hint=f"Use one of: {', '.join(NAMES)}.")
    module, attribute = _WHERE[name]
    return _loaded.setdefault(name, cast("Dialect", getattr(import_module(module), attribute)))
